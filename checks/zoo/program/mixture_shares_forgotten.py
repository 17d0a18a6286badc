"""A label is drawn without the share of its normal.

Symptom: Labels follow the data too closely, and w does not follow them.
"""

import torch

from checks.right.program.mixture import data, model
from checks.right.program.pieces import Target, gibbs, walk

__all__ = ["data", "model", "transition"]


def transition(latents, y):
    latents = gibbs(Target(model, y, weights={"z": 0.0}), latents, "z", torch.arange(2))
    return walk(Target(model, y), latents, sweeps=2)
