"""V first; then U with a mean linear in V."""

import pyro
import pyro.distributions as dist
import torch
from torch.distributions import constraints


def guide(model, data):
    V = normal("V", "items", model.sites["V"], 0.0)
    shape = model.sites["U"]
    slope = pyro.param("slope", lambda: 0.05 * torch.randn(*shape, V.numel()))
    normal("U", "users", shape, slope @ V.flatten())


def normal(site, plate, shape, more):
    mean = pyro.param(f"{site}_mean", lambda: 0.5 * torch.randn(shape))
    sd = pyro.param(f"{site}_sd", lambda: torch.full(shape, 0.2), constraint=constraints.positive)
    with pyro.plate(plate, shape[0]):
        return pyro.sample(site, dist.Normal(mean + more, sd).to_event(1))
