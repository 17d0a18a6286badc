"""A mixture of two normals, with the label of every number."""

import pyro
import pyro.distributions as dist
import torch

from checks.right.program.pieces import Target, flip, gibbs, hmc, mala, walk


def model(y):
    w = pyro.sample("w", dist.Beta(2.0, 2.0))
    mu = pyro.sample("mu", dist.Normal(torch.tensor([-1.0, 1.0]), 1.0).to_event(1))
    with pyro.plate("numbers", len(y)):
        z = pyro.sample("z", dist.Bernoulli(w))
        pyro.sample("y", dist.Normal(torch.where(z > 0, mu[1], mu[0]), 0.7), obs=y)


def data():
    return torch.tensor([-1.4, 0.2, 1.3, 0.9, -0.6, 2.1])


def transition_walk_and_flip(latents, y):
    return walk(Target(model, y), flip(Target(model, y), latents, "z", torch.arange(2)), sweeps=2)


def transition_hmc_and_gibbs(latents, y):
    return hmc(Target(model, y), gibbs(Target(model, y), latents, "z", torch.arange(2)))


def transition_gibbs_last(latents, y):
    return gibbs(Target(model, y), mala(Target(model, y), latents), "z", torch.arange(2))
