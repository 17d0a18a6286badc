"""The data count twice.

Symptom: Schools are shrunk too little, and all spreads are too small.
"""

from checks.right.program.pieces import Target, walk
from checks.right.program.schools import data, model

__all__ = ["data", "model", "transition"]


def transition(latents, sigma, y):
    return walk(Target(model, sigma, y, weights={"y": 2.0}), latents)
