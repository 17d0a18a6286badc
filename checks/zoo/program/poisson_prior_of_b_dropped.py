"""The prior of b is left out.

Symptom: b is too large.
"""

from checks.right.program.pieces import Target, walk
from checks.right.program.poisson import data, model

__all__ = ["data", "model", "transition"]


def transition(latents, exposure, y):
    return walk(Target(model, exposure, y, weights={"b": 0.0}), latents)
