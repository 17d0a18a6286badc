"""What q says of a user is a linear function of their ratings; items have means and scales of their own."""

from functools import partial

import pyro
import pyro.distributions as dist
import torch

from checks.right.pyro.normals import PLATES


def guide(model, data):
    users, items = model.sites["U"], model.sites["V"]
    matrix = torch.zeros(users[0], items[0], dtype=data.rating.dtype).index_put((data.user, data.item), data.rating)
    weights = pyro.param("weights", partial(torch.normal, 0.0, 0.3, (items[0], users[1])))
    scale = pyro.param("U_scale", torch.full((users[1],), 0.3), constraint=dist.constraints.positive)
    with pyro.plate(PLATES["U"], users[0]):
        pyro.sample("U", dist.Normal(matrix.to(weights.dtype) @ weights, scale).to_event(1))
    mean = pyro.param("V_mean", partial(torch.normal, 0.0, 0.5, items))
    sd = pyro.param("V_sd", partial(torch.full, items, 0.3), constraint=dist.constraints.positive)
    with pyro.plate(PLATES["V"], items[0]):
        pyro.sample("V", dist.Normal(mean, sd).to_event(1))
