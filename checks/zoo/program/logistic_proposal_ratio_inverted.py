"""The densities of the two ways of a Langevin step are swapped.

Symptom: Coefficients are too close to the mode.
"""

from checks.right.program.logistic import data, model
from checks.right.program.pieces import Target, mala

__all__ = ["data", "model", "transition"]


def transition(latents, x, y):
    return mala(Target(model, x, y), latents, step=0.6, back=-1.0)
