"""The first schools are masked in the guide.

Symptom: Their theta collapse.
"""

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine

from checks.right.program.schools import data, model
from checks.right.program_guides.pieces import normal, told

__all__ = ["data", "guide", "model"]


def guide(sigma, y):
    mu = pyro.sample("mu", normal("mu"))
    q = normal("log_tau")
    t = q.rsample()
    told("tau", t.exp(), q.log_prob(t) - t)
    share = pyro.param("share", torch.tensor(0.5))
    with pyro.plate("schools", len(y)), poutine.mask(mask=torch.arange(len(y)).gt(1)):  # type: ignore[call-overload]
        rest = normal("rest", len(y))
        pyro.sample("theta", dist.Normal(share * mu + rest.loc, rest.scale))
