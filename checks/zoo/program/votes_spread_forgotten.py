"""The spread is left out of the conditional of the shares.

Symptom: Shares are too spread out.
"""

import pyro.distributions as dist

from checks.right.program.pieces import Target, walk
from checks.right.program.votes import data, model

__all__ = ["data", "model", "transition"]


def transition(latents, y):
    share = dist.Dirichlet(1 + latents["common"] + y).sample()
    return walk(Target(model, y), {**latents, "share": share}, sweeps=1)
