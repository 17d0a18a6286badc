"""A state is drawn without a look at the one before.

Symptom: Paths change state too often.
"""

import torch

from checks.right.program.markov import data, model
from checks.right.program.pieces import Target, gibbs, walk

__all__ = ["data", "model", "transition"]


def transition(latents, y):
    for k in range(len(y)):
        latents = gibbs(Target(model, y, weights={f"z{k}": 0.0}), latents, f"z{k}", torch.arange(2))
    return walk(Target(model, y), latents, sweeps=2)
