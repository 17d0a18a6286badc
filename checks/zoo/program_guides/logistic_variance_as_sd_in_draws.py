"""b is drawn with its variance as a standard deviation.

Symptom: b is fitted with the root of its spread.
"""

import pyro
import torch

from checks.right.program.logistic import data, model
from checks.right.program_guides.pieces import normal, told

__all__ = ["data", "guide", "model"]


def guide(x, y):
    pyro.sample("a", normal("a"))
    q = normal("b", x.shape[1])
    b = q.loc + q.scale**2 * torch.randn(x.shape[1])
    told("b", b, q.log_prob(b).sum())
