"""States are drawn with their data counted twice.

Symptom: Paths follow the data too closely.
"""

import torch

from checks.right.program.markov import data, model
from checks.right.program.pieces import Target, gibbs, walk

__all__ = ["data", "model", "transition"]


def transition(latents, y):
    for k in range(len(y)):
        latents = gibbs(Target(model, y, weights={f"y{k}": 2.0}), latents, f"z{k}", torch.arange(2))
    return walk(Target(model, y), latents, sweeps=2)
