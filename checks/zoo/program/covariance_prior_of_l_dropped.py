"""The prior of the correlation is left out.

Symptom: Correlations are too large.
"""

from checks.right.program.covariance import data, model
from checks.right.program.pieces import Target, walk

__all__ = ["data", "model", "transition"]


def transition(latents, y):
    return walk(Target(model, y, weights={"L": 0.0}), latents)
