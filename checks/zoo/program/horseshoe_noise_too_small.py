"""The data count 1.5 times.

Symptom: Coefficients follow the data too closely.
"""

from checks.right.program.horseshoe import data, model
from checks.right.program.pieces import Target, walk

__all__ = ["data", "model", "transition"]


def transition(latents, x, y):
    return walk(Target(model, x, y, weights={"y": 1.5}), latents)
