"""Only what is likelier is accepted.

Symptom: Everything huddles at the mode.
"""

from checks.right.program.pieces import Target, walk
from checks.right.program.schools_apart import data, model

__all__ = ["data", "model", "transition"]


def transition(latents, sigma, y):
    return walk(Target(model, sigma, y), latents, accept=lambda gap: gap > 0)
