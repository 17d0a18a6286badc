"""The scale is detached in the density of b.

Symptom: b collapses to a point.
"""

import pyro
import pyro.distributions as dist
import torch

from checks.right.program.logistic import data, model
from checks.right.program_guides.pieces import normal, told

__all__ = ["data", "guide", "model"]


def guide(x, y):
    pyro.sample("a", normal("a"))
    q = normal("b", x.shape[1])
    b = q.loc + q.scale * torch.randn(x.shape[1])
    told("b", b, dist.Normal(q.loc, q.scale.detach()).log_prob(b).sum())
