"""Schools, centred: theta_j ~ N(mu, tau), y_j ~ N(theta_j, sigma_j)."""

import pyro
import pyro.distributions as dist
import torch

from checks.right.program.pieces import Target, hmc, mala, walk


def model(sigma, y):
    mu = pyro.sample("mu", dist.Normal(0.0, 5.0))
    tau = pyro.sample("tau", dist.HalfNormal(5.0))
    with pyro.plate("schools", len(y)):
        theta = pyro.sample("theta", dist.Normal(mu, tau))
        pyro.sample("y", dist.Normal(theta, sigma), obs=y)


def data():
    return torch.tensor([4.0, 3.0, 5.0, 2.0, 3.0]), torch.tensor([8.0, 3.0, -3.0, 7.0, 1.0])


def transition_walk(latents, sigma, y):
    return walk(Target(model, sigma, y), latents)


def transition_hmc(latents, sigma, y):
    return hmc(Target(model, sigma, y), latents)


def transition_mala(latents, sigma, y):
    return mala(Target(model, sigma, y), latents)


def transition_gibbs(latents, sigma, y):
    """theta and mu from their conditionals, tau by Metropolis."""
    tau = latents["tau"]
    precision = 1 / sigma**2 + 1 / tau**2
    theta = (y / sigma**2 + latents["mu"] / tau**2) / precision + torch.randn_like(y) / precision.sqrt()
    precision = len(y) / tau**2 + 1 / 25
    mu = theta.sum() / tau**2 / precision + torch.randn(()) / precision.sqrt()
    return walk(Target(model, sigma, y), {"mu": mu, "tau": tau, "theta": theta}, sweeps=1)
