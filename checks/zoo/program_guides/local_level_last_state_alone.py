"""Only the last level tells its density.

Symptom: All others collapse.
"""

import pyro
import pyro.distributions as dist
import torch

from checks.right.program.local_level import data, model
from checks.right.program_guides.pieces import normal, told

__all__ = ["data", "guide", "model"]


def guide(y):
    for name in ("q", "r"):
        q = normal(f"log_{name}")
        pyro.sample(name, dist.LogNormal(q.loc, q.scale))
    rest, share, x = normal("rest", len(y)), pyro.param("share", torch.tensor(0.5)), torch.zeros(())
    for t in range(len(y)):
        step = dist.Normal(share * x + rest.loc[t], rest.scale[t])
        x = step.rsample()
        told(f"x{t}", x, step.log_prob(x) * (t == len(y) - 1))
