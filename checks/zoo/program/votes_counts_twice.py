"""The counts are added twice in the conditional of the shares.

Symptom: Shares follow the counts too closely.
"""

import pyro.distributions as dist

from checks.right.program.pieces import Target, walk
from checks.right.program.votes import data, model

__all__ = ["data", "model", "transition"]


def transition(latents, y):
    share = dist.Dirichlet(1 + latents["spread"] * latents["common"] + 2 * y).sample()
    return walk(Target(model, y), {**latents, "share": share}, sweeps=1)
