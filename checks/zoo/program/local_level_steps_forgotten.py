"""The level at time 2 is taken to be independent of the one before.

Symptom: The level jumps there.
"""

from checks.right.program.local_level import data, model
from checks.right.program.pieces import Target, walk

__all__ = ["data", "model", "transition"]


def transition(latents, y):
    return walk(Target(model, y, weights={"x2": 0.0}), latents)
