"""The shares are drawn from their conditional without the prior.

Symptom: Shares are too far from the common ones.
"""

import pyro.distributions as dist

from checks.right.program.pieces import Target, walk
from checks.right.program.votes import data, model

__all__ = ["data", "model", "transition"]


def transition(latents, y):
    share = dist.Dirichlet(y + 0.01).sample()
    return walk(Target(model, y), {**latents, "share": share}, sweeps=1)
