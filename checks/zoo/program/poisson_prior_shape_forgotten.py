"""The shape of the prior is left out of the conditional of the rates.

Symptom: Rates are too low.
"""

import pyro.distributions as dist

from checks.right.program.pieces import Target, walk
from checks.right.program.poisson import data, model

__all__ = ["data", "model", "transition"]


def transition(latents, exposure, y):
    rate = dist.Gamma(1 + y, latents["b"] + exposure).sample()
    return walk(Target(model, exposure, y), {**latents, "rate": rate}, sweeps=1)
