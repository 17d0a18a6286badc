"""A local level: x_t ~ N(x_{t-1}, q), y_t ~ N(x_t, r), the level in a loop."""

import pyro
import pyro.distributions as dist
import torch

from checks.right.program.pieces import Target, hmc, mala, walk


def model(y):
    q = pyro.sample("q", dist.HalfNormal(1.0))
    r = pyro.sample("r", dist.HalfNormal(1.0))
    x = torch.zeros(())
    for t in range(len(y)):
        x = pyro.sample(f"x{t}", dist.Normal(x, 0.1 + q))
        pyro.sample(f"y{t}", dist.Normal(x, 0.1 + r), obs=y[t])


def data():
    return torch.tensor([0.1, 0.9, 1.3, 0.4, 1.8])


def transition_walk(latents, y):
    return walk(Target(model, y), latents)


def transition_hmc(latents, y):
    return hmc(Target(model, y), latents)


def transition_mala(latents, y):
    return mala(Target(model, y), latents)
