"""Langevin steps of a long step are not accepted or refused.

Symptom: Coefficients are too spread out.
"""

from checks.right.program.logistic import data, model
from checks.right.program.pieces import Target, mala

__all__ = ["data", "model", "transition"]


def transition(latents, x, y):
    return mala(Target(model, x, y), latents, step=0.9, accept=lambda gap: gap > -1e9)
