"""tau is normal, and may be negative.

Symptom: The density of the model is none there.
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
    told("tau", t, q.log_prob(t))
    share = pyro.param("share", torch.tensor(0.5))
    with pyro.plate("schools", len(y)):
        rest = normal("rest", len(y))
        pyro.sample("theta", dist.Normal(share * mu + rest.loc, rest.scale))
