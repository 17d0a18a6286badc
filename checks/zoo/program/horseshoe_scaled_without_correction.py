"""tau is multiplied by a factor, accepted as if that were symmetric.

Symptom: tau is too small.
"""

import torch

from checks.right.program.horseshoe import data, model
from checks.right.program.pieces import Target, metropolis, walk

__all__ = ["data", "model", "transition"]


def transition(latents, x, y):
    target = Target(model, x, y)
    tau = latents["tau"] * (0.8 * torch.randn(())).exp()
    yes = metropolis(target.at({**latents, "tau": tau}) - target.at(latents))
    return walk(target, {**latents, "tau": torch.where(yes, tau, latents["tau"])}, sweeps=1)
