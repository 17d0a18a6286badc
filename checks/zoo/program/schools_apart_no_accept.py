"""A Hamiltonian path of a long step is always accepted.

Symptom: Everything is too spread out.
"""

from checks.right.program.pieces import Target, hmc
from checks.right.program.schools_apart import data, model

__all__ = ["data", "model", "transition"]


def transition(latents, sigma, y):
    return hmc(Target(model, sigma, y), latents, step=0.45, accept=lambda gap: gap > -1e9)
