"""theta is drawn with its conditional variance as the standard deviation.

Symptom: theta is too spread out or too little, by how its variance is from 1.
"""

import torch

from checks.right.program.pieces import Target, walk
from checks.right.program.schools import data, model

__all__ = ["data", "model", "transition"]


def transition(latents, sigma, y):
    precision = 1 / sigma**2 + 1 / latents["tau"] ** 2
    mean = (y / sigma**2 + latents["mu"] / latents["tau"] ** 2) / precision
    latents = {**latents, "theta": mean + torch.randn_like(y) / precision}
    return walk(Target(model, sigma, y), latents, sweeps=1)
