"""States are drawn with the data of the time before.

Symptom: Paths lag behind the data.
"""

import torch

from checks.right.program.markov import data, model
from checks.right.program.pieces import Target, gibbs, walk

__all__ = ["data", "model", "transition"]


def transition(latents, y):
    for k in range(len(y)):
        latents = gibbs(Target(model, y.roll(1)), latents, f"z{k}", torch.arange(2))
    return walk(Target(model, y), latents, sweeps=2)
