"""The prior of mu is left out.

Symptom: mu wanders farther than its prior allows.
"""

from checks.right.program.pieces import Target, walk
from checks.right.program.schools import data, model

__all__ = ["data", "model", "transition"]


def transition(latents, sigma, y):
    return walk(Target(model, sigma, y, weights={"mu": 0.0}), latents)
