"""The labels of the conditional are swapped.

Symptom: Numbers are of the wrong normal.
"""

import torch

from checks.right.program.mixture import data, model
from checks.right.program.pieces import Target, gibbs, walk

__all__ = ["data", "model", "transition"]


def transition(latents, y):
    latents = gibbs(Target(model, y), latents, "z", torch.arange(2))
    return walk(Target(model, y), {**latents, "z": 1 - latents["z"]}, sweeps=2)
