"""Right guides for local_level: by hand, and two automatic ones."""

import pyro
import pyro.distributions as dist
import torch
from pyro.infer.autoguide import AutoMultivariateNormal, AutoNormal

from checks.right.program.local_level import data, model
from checks.right.program_guides.pieces import normal, told

__all__ = ["automatic_guide", "data", "guide", "model", "normal_guide"]


def guide(y):
    """A chain forwards, x_t about a share of x_{t-1}; scales log-normal."""
    for name in ("q", "r"):
        q = normal(f"log_{name}")
        pyro.sample(name, dist.LogNormal(q.loc, q.scale))
    rest, share, x = normal("rest", len(y)), pyro.param("share", torch.tensor(0.5)), torch.zeros(())
    for t in range(len(y)):
        step = dist.Normal(share * x + rest.loc[t], rest.scale[t])
        x = step.rsample()
        told(f"x{t}", x, step.log_prob(x))


def automatic_guide(model):
    return AutoMultivariateNormal(model)


def normal_guide(model):
    return AutoNormal(model)
