"""A Gaussian process f at six places, y ~ Poisson(exp f)."""

import pyro
import pyro.distributions as dist
import torch

from checks.right.program.pieces import Target, hmc, mala, walk


def model(x, y):
    scale = pyro.sample("scale", dist.LogNormal(0.0, 0.4))
    alpha = pyro.sample("alpha", dist.HalfNormal(1.0))
    K = (0.05 + alpha) ** 2 * torch.exp(-((x[:, None] - x) ** 2) / (2 * scale**2)) + 0.01 * torch.eye(len(x))
    f = pyro.sample("f", dist.MultivariateNormal(torch.zeros(len(x)), K))
    pyro.sample("y", dist.Poisson(f.exp()).to_event(1), obs=y)


def data():
    return torch.tensor([-2.0, -1.0, 0.0, 0.7, 1.5, 3.0]), torch.tensor([1.0, 0.0, 2.0, 3.0, 1.0, 4.0])


def transition_walk(latents, x, y):
    return walk(Target(model, x, y), latents)


def transition_hmc(latents, x, y):
    return hmc(Target(model, x, y), latents)


def transition_mala(latents, x, y):
    return mala(Target(model, x, y), latents)
