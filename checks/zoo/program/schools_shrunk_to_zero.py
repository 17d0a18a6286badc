"""theta is shrunk towards 0 in place of mu.

Symptom: theta is too close to 0, and does not follow mu.
"""

import torch

from checks.right.program.pieces import Target, walk
from checks.right.program.schools import data, model

__all__ = ["data", "model", "transition"]


def transition(latents, sigma, y):
    precision = 1 / sigma**2 + 1 / latents["tau"] ** 2
    mean = y / sigma**2 / precision
    latents = {**latents, "theta": mean + torch.randn_like(y) / precision.sqrt()}
    return walk(Target(model, sigma, y), latents, sweeps=1)
