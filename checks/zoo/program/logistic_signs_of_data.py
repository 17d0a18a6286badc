"""The data are read as 1 - y.

Symptom: Coefficients have the wrong sign.
"""

from checks.right.program.logistic import data, model
from checks.right.program.pieces import Target, walk

__all__ = ["data", "model", "transition"]


def transition(latents, x, y):
    return walk(Target(model, x, 1 - y), latents)
