"""The last number counts twice.

Symptom: The level ends too close to the data.
"""

from checks.right.program.local_level import data, model
from checks.right.program.pieces import Target, walk

__all__ = ["data", "model", "transition"]


def transition(latents, y):
    return walk(Target(model, y, weights={"y4": 2.0}), latents)
