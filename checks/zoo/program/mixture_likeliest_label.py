"""Every number has its likeliest label.

Symptom: The two normals are too far apart.
"""

import torch

from checks.right.program.mixture import data, model
from checks.right.program.pieces import Target, gibbs, walk

__all__ = ["data", "model", "transition"]


def transition(latents, y):
    latents = gibbs(Target(model, y), latents, "z", torch.arange(2), power=50.0)
    return walk(Target(model, y), latents, sweeps=2)
