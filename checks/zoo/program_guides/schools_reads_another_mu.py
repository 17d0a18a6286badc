"""theta is drawn about a mu that is no site.

Symptom: theta does not follow mu, and its density is of one draw among many.
"""

import pyro
import pyro.distributions as dist
import torch

from checks.right.program.schools import data, model
from checks.right.program_guides.pieces import normal, told

__all__ = ["data", "guide", "model"]


def guide(sigma, y):
    pyro.sample("mu", normal("mu"))
    q = normal("log_tau")
    t = q.rsample()
    told("tau", t.exp(), q.log_prob(t) - t)
    share = pyro.param("share", torch.tensor(0.5))
    with pyro.plate("schools", len(y)):
        rest = normal("rest", len(y))
        pyro.sample("theta", dist.Normal(share * normal("mu").rsample() + rest.loc, rest.scale))
