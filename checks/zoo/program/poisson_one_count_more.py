"""The conditional of the rates has one count too many.

Symptom: Rates are too high where there are few counts.
"""

import pyro.distributions as dist

from checks.right.program.pieces import Target, walk
from checks.right.program.poisson import data, model

__all__ = ["data", "model", "transition"]


def transition(latents, exposure, y):
    rate = dist.Gamma(latents["a"] + y + 1, latents["b"] + exposure).sample()
    return walk(Target(model, exposure, y), {**latents, "rate": rate}, sweeps=1)
