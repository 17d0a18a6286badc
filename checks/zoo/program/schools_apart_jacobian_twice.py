"""The Jacobian of log tau counts twice.

Symptom: tau is too large.
"""

from checks.right.program.pieces import Target, walk
from checks.right.program.schools_apart import data, model

__all__ = ["data", "model", "transition"]


def transition(latents, sigma, y):
    return walk(Target(model, sigma, y, jacobian=2.0), latents)
