"""Labels proposed with probability p are accepted as if all were proposed alike.

Symptom: Labels follow p too closely: their prior counts twice.
"""

import torch

from checks.right.program.pieces import Target, metropolis, walk
from checks.right.program.zeros import data, model

__all__ = ["data", "model", "transition"]


def transition(latents, y):
    target, z = Target(model, y), (torch.rand(y.shape) < latents["p"]).to(latents["z"].dtype)
    yes = metropolis(target.at({**latents, "z": z}) - target.at(latents))
    return walk(target, {**latents, "z": torch.where(yes, z, latents["z"])}, sweeps=2)
