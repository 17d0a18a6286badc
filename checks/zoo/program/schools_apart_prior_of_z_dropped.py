"""The prior of z is left out.

Symptom: z is far too spread out.
"""

from checks.right.program.pieces import Target, walk
from checks.right.program.schools_apart import data, model

__all__ = ["data", "model", "transition"]


def transition(latents, sigma, y):
    return walk(Target(model, sigma, y, weights={"z": 0.0}), latents)
