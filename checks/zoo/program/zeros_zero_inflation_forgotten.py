"""A zero is always from the Poisson.

Symptom: p is too large, and the rate too small.
"""

import torch

from checks.right.program.pieces import Target, gibbs, walk
from checks.right.program.zeros import data, model

__all__ = ["data", "model", "transition"]


def transition(latents, y):
    latents = gibbs(Target(model, y), latents, "z", torch.arange(2))
    return walk(Target(model, y), {**latents, "z": torch.ones_like(latents["z"])}, sweeps=2)
