"""The last half kick of the momentum is left out.

Symptom: The energies are wrong, and so are the spreads.
"""

from checks.right.program.pieces import Target, hmc
from checks.right.program.schools_apart import data, model

__all__ = ["data", "model", "transition"]


def transition(latents, sigma, y):
    return hmc(Target(model, sigma, y), latents, last_kick=0.0, step=0.3)
