"""Dirichlet and multinomial: the shares of three parties in four places about common ones."""

import pyro
import pyro.distributions as dist
import torch

from checks.right.program.pieces import Target, hmc, mala, walk


def model(y):
    spread = pyro.sample("spread", dist.Gamma(4.0, 0.5))
    common = pyro.sample("common", dist.Dirichlet(torch.tensor([2.0, 2.0, 2.0])))
    with pyro.plate("places", len(y)):
        share = pyro.sample("share", dist.Dirichlet(1 + spread * common))
        pyro.sample("y", dist.Multinomial(10, share), obs=y)


def data():
    return torch.tensor([[3.0, 4.0, 3.0], [1.0, 6.0, 3.0], [0.0, 8.0, 2.0], [5.0, 4.0, 1.0]])


def transition_walk(latents, y):
    return walk(Target(model, y), latents)


def transition_hmc(latents, y):
    return hmc(Target(model, y), latents)


def transition_mala(latents, y):
    return mala(Target(model, y), latents)


def transition_gibbs(latents, y):
    """The shares from their conditional, the others by Metropolis."""
    prior = 1 + latents["spread"] * latents["common"]
    share = dist.Dirichlet(prior + y).sample()
    return walk(Target(model, y), {**latents, "share": share}, sweeps=1)
