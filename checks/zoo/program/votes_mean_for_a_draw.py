"""The shares are the mean of their conditional.

Symptom: Shares are too little spread.
"""

import pyro.distributions as dist

from checks.right.program.pieces import Target, walk
from checks.right.program.votes import data, model

__all__ = ["data", "model", "transition"]


def transition(latents, y):
    share = dist.Dirichlet(1 + latents["spread"] * latents["common"] + y).mean
    return walk(Target(model, y), {**latents, "share": share}, sweeps=1)
