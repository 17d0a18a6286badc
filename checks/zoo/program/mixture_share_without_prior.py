"""w is drawn from its conditional without its prior.

Symptom: w is too far from a half.
"""

import torch

from checks.right.program.mixture import data, model
from checks.right.program.pieces import Target, gibbs, walk

__all__ = ["data", "model", "transition"]


def transition(latents, y):
    latents = gibbs(Target(model, y), latents, "z", torch.arange(2))
    return walk(Target(model, y, weights={"w": 0.0}), latents, sweeps=2)
