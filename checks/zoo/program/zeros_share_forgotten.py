"""Where a number is from is drawn without p.

Symptom: Zeros are from the Poisson too often or too seldom.
"""

import torch

from checks.right.program.pieces import Target, gibbs, walk
from checks.right.program.zeros import data, model

__all__ = ["data", "model", "transition"]


def transition(latents, y):
    latents = gibbs(Target(model, y, weights={"z": 0.0}), latents, "z", torch.arange(2))
    return walk(Target(model, y), latents, sweeps=2)
