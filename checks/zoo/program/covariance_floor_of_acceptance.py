"""No move is refused with a probability above three quarters.

Symptom: Everything is too spread out.
"""

import torch

from checks.right.program.covariance import data, model
from checks.right.program.pieces import Target, walk

__all__ = ["data", "model", "transition"]


def transition(latents, y):
    return walk(Target(model, y), latents, accept=lambda gap: gap.exp().clamp(min=0.25) > torch.rand(()))
