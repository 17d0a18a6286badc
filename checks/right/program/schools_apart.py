"""Schools, non-centred: theta = mu + tau z, z ~ N(0, 1)."""

import pyro
import pyro.distributions as dist
import torch

from checks.right.program.pieces import Target, hmc, mala, walk


def model(sigma, y):
    mu = pyro.sample("mu", dist.Normal(0.0, 5.0))
    tau = pyro.sample("tau", dist.HalfNormal(5.0))
    with pyro.plate("schools", len(y)):
        z = pyro.sample("z", dist.Normal(0.0, 1.0))
        pyro.sample("y", dist.Normal(mu + tau * z, sigma), obs=y)


def data():
    return torch.tensor([4.0, 3.0, 5.0, 2.0, 3.0]), torch.tensor([8.0, 3.0, -3.0, 7.0, 1.0])


def transition_walk(latents, sigma, y):
    return walk(Target(model, sigma, y), latents)


def transition_hmc(latents, sigma, y):
    return hmc(Target(model, sigma, y), latents)


def transition_mala(latents, sigma, y):
    return mala(Target(model, sigma, y), latents)
