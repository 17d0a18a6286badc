"""The data count 0.7 times, as in a tempered chain that nobody brings back.

Symptom: Coefficients are too close to their prior.
"""

from checks.right.program.logistic import data, model
from checks.right.program.pieces import Target, walk

__all__ = ["data", "model", "transition"]


def transition(latents, x, y):
    return walk(Target(model, x, y, weights={"y": 0.7}), latents)
