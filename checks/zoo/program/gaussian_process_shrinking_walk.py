"""A proposal that shrinks f by a tenth is accepted as if it were symmetric.

Symptom: f is too close to 0.
"""

import torch

from checks.right.program.gaussian_process import data, model
from checks.right.program.pieces import Target, metropolis, walk

__all__ = ["data", "model", "transition"]


def transition(latents, x, y):
    target = Target(model, x, y)
    f = 0.9 * latents["f"] + 0.3 * torch.randn_like(latents["f"])
    yes = metropolis(target.at({**latents, "f": f}) - target.at(latents))
    return walk(target, {**latents, "f": torch.where(yes, f, latents["f"])}, sweeps=1)
