"""The data count half.

Symptom: f is too close to its prior.
"""

from checks.right.program.gaussian_process import data, model
from checks.right.program.pieces import Target, walk

__all__ = ["data", "model", "transition"]


def transition(latents, x, y):
    return walk(Target(model, x, y, weights={"y": 0.5}), latents)
