"""b is drawn twice as wide as its density says.

Symptom: b is fitted at half its spread.
"""

import pyro
import torch

from checks.right.program.logistic import data, model
from checks.right.program_guides.pieces import normal, told

__all__ = ["data", "guide", "model"]


def guide(x, y):
    pyro.sample("a", normal("a"))
    q = normal("b", x.shape[1])
    b = q.loc + 2 * q.scale * torch.randn(x.shape[1])
    told("b", b, q.log_prob(b).sum())
