"""Moves are made in logarithms, and no Jacobian is counted.

Symptom: Everything is too small.
"""

from checks.right.program.pieces import Target, walk
from checks.right.program.poisson import data, model

__all__ = ["data", "model", "transition"]


def transition(latents, exposure, y):
    return walk(Target(model, exposure, y, jacobian=0.0), latents)
