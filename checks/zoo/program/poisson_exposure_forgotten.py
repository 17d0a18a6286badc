"""The exposure is left out of the conditional of the rates.

Symptom: Rates are too low where the exposure is small, and too high where it is large.
"""

import pyro.distributions as dist

from checks.right.program.pieces import Target, walk
from checks.right.program.poisson import data, model

__all__ = ["data", "model", "transition"]


def transition(latents, exposure, y):
    rate = dist.Gamma(latents["a"] + y, latents["b"] + 1).sample()
    return walk(Target(model, exposure, y), {**latents, "rate": rate}, sweeps=1)
