"""The density of the way back is left out of a Langevin step.

Symptom: Coefficients are too close to the mode.
"""

from checks.right.program.logistic import data, model
from checks.right.program.pieces import Target, mala

__all__ = ["data", "model", "transition"]


def transition(latents, x, y):
    return mala(Target(model, x, y), latents, step=0.7, back=0.0)
