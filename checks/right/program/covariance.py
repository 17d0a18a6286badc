"""A covariance of two numbers: scales, and a correlation by LKJCholesky."""

import pyro
import pyro.distributions as dist
import torch

from checks.right.program.pieces import Target, hmc, mala, walk


def model(y):
    L = pyro.sample("L", dist.LKJCholesky(2, torch.tensor(2.0)))
    s = pyro.sample("s", dist.LogNormal(0.0, 0.5).expand([2]).to_event(1))
    with pyro.plate("rows", len(y)):
        pyro.sample("y", dist.MultivariateNormal(torch.zeros(2), scale_tril=s[:, None] * L), obs=y)


def data():
    return torch.tensor([[0.3, 0.5], [-1.0, -0.2], [1.4, 0.1], [-0.3, 0.8], [0.6, 1.1]])


def transition_walk(latents, y):
    return walk(Target(model, y), latents)


def transition_hmc(latents, y):
    return hmc(Target(model, y), latents)


def transition_mala(latents, y):
    return mala(Target(model, y), latents)
