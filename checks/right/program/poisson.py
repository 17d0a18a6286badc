"""Poisson counts in groups: rate_g ~ Gamma(a, b), y_g ~ Poisson(rate_g exposure_g)."""

import pyro
import pyro.distributions as dist
import torch

from checks.right.program.pieces import Target, hmc, mala, walk


def model(exposure, y):
    a = pyro.sample("a", dist.Gamma(4.0, 2.0))
    b = pyro.sample("b", dist.Gamma(4.0, 4.0))
    with pyro.plate("groups", len(y)):
        rate = pyro.sample("rate", dist.Gamma(a, b))
        pyro.sample("y", dist.Poisson(rate * exposure), obs=y)


def data():
    return torch.tensor([1.0, 3.0, 0.5, 2.0, 4.0]), torch.tensor([2.0, 7.0, 0.0, 3.0, 12.0])


def transition_walk(latents, exposure, y):
    return walk(Target(model, exposure, y), latents)


def transition_hmc(latents, exposure, y):
    return hmc(Target(model, exposure, y), latents)


def transition_mala(latents, exposure, y):
    return mala(Target(model, exposure, y), latents)


def transition_gibbs(latents, exposure, y):
    """The rates from their conditional, Gamma(a + y, b + exposure), the others by Metropolis."""
    rate = dist.Gamma(latents["a"] + y, latents["b"] + exposure).sample()
    return walk(Target(model, exposure, y), {**latents, "rate": rate}, sweeps=1)
