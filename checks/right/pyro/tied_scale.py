"""One scale for all entries of a site: a small family, which is poor, and right."""

from functools import partial

import pyro
import pyro.distributions as dist
import torch

from checks.right.pyro.normals import PLATES


def guide(model, data):
    for site, plate in PLATES.items():
        shape = model.sites[site]
        mean = pyro.param(f"{site}_mean", partial(torch.normal, 0.0, 0.5, shape))
        scale = pyro.param(f"{site}_scale", torch.tensor(0.3), constraint=dist.constraints.positive)
        with pyro.plate(plate, shape[0]):
            pyro.sample(site, dist.Normal(mean, scale).to_event(1))
