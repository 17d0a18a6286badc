"""b is drawn without its gradient.

Symptom: The mean of b never moves.
"""

import pyro
import torch

from checks.right.program.logistic import data, model
from checks.right.program_guides.pieces import normal, told

__all__ = ["data", "guide", "model"]


def guide(x, y):
    pyro.sample("a", normal("a"))
    q = normal("b", x.shape[1])
    b = q.loc + q.scale * torch.randn(x.shape[1])
    b = b.detach()
    told("b", b, q.log_prob(b).sum())
