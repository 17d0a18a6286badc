"""The acceptance ratio is upside down.

Symptom: Coefficients run away from where the data are likely.
"""

import torch

from checks.right.program.logistic import data, model
from checks.right.program.pieces import Target, walk

__all__ = ["data", "model", "transition"]


def transition(latents, x, y):
    return walk(Target(model, x, y), latents, accept=lambda gap: torch.rand(()).log() < -gap)
