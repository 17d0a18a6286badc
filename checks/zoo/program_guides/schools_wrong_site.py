"""tau is told to be mu's noise: the density is read at the wrong site.

Symptom: tau collapses or runs away.
"""

import pyro
import pyro.distributions as dist
import torch

from checks.right.program.schools import data, model
from checks.right.program_guides.pieces import normal, told

__all__ = ["data", "guide", "model"]


def guide(sigma, y):
    mu = pyro.sample("mu", normal("mu"))
    q = normal("log_tau")
    t = q.rsample()
    told("tau", t.exp(), q.log_prob(mu) - t)
    share = pyro.param("share", torch.tensor(0.5))
    with pyro.plate("schools", len(y)):
        rest = normal("rest", len(y))
        pyro.sample("theta", dist.Normal(share * mu + rest.loc, rest.scale))
