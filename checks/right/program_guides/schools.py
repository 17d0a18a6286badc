"""Right guides for schools: by hand, and two automatic ones."""

import pyro
import pyro.distributions as dist
import torch
from pyro.infer.autoguide import AutoMultivariateNormal, AutoNormal

from checks.right.program.schools import data, model
from checks.right.program_guides.pieces import normal, told

__all__ = ["automatic_guide", "data", "guide", "model", "normal_guide"]


def guide(sigma, y):
    """mu and log tau normal, theta normal about a share of mu."""
    mu = pyro.sample("mu", normal("mu"))
    q = normal("log_tau")
    t = q.rsample()
    told("tau", t.exp(), q.log_prob(t) - t)
    share = pyro.param("share", torch.tensor(0.5))
    with pyro.plate("schools", len(y)):
        rest = normal("rest", len(y))
        pyro.sample("theta", dist.Normal(share * mu + rest.loc, rest.scale))


def automatic_guide(model):
    return AutoMultivariateNormal(model)


def normal_guide(model):
    return AutoNormal(model)
