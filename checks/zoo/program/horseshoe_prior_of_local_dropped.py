"""The priors of the local scales are left out.

Symptom: Coefficients are not shrunk.
"""

from checks.right.program.horseshoe import data, model
from checks.right.program.pieces import Target, walk

__all__ = ["data", "model", "transition"]


def transition(latents, x, y):
    return walk(Target(model, x, y, weights={"local": 0.0}), latents)
