"""The numbers count twice for the rate.

Symptom: The rate is too little spread.
"""

import torch

from checks.right.program.pieces import Target, gibbs, walk
from checks.right.program.zeros import data, model

__all__ = ["data", "model", "transition"]


def transition(latents, y):
    latents = gibbs(Target(model, y), latents, "z", torch.arange(2))
    return walk(Target(model, y, weights={"y": 2.0}), latents, sweeps=2)
