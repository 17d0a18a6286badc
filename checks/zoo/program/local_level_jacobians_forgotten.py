"""Moves are made in the logarithms of q and r, and no Jacobian is counted.

Symptom: q and r are too small.
"""

from checks.right.program.local_level import data, model
from checks.right.program.pieces import Target, walk

__all__ = ["data", "model", "transition"]


def transition(latents, y):
    return walk(Target(model, y, jacobian=0.0), latents)
