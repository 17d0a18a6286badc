"""Counts with more zeros than a Poisson has: z says which numbers are from it."""

import pyro
import pyro.distributions as dist
import torch

from checks.right.program.pieces import Target, flip, gibbs, hmc, mala, walk


def model(y):
    p = pyro.sample("p", dist.Beta(3.0, 2.0))
    rate = pyro.sample("rate", dist.Gamma(3.0, 1.5))
    with pyro.plate("numbers", len(y)):
        z = pyro.sample("z", dist.Bernoulli(p))
        pyro.sample("y", dist.Poisson(0.02 + z * rate), obs=y)


def data():
    return torch.tensor([0.0, 2.0, 0.0, 1.0, 4.0, 0.0])


def transition_walk_and_flip(latents, y):
    return walk(Target(model, y), flip(Target(model, y), latents, "z", torch.arange(2)), sweeps=2)


def transition_hmc_and_gibbs(latents, y):
    return hmc(Target(model, y), gibbs(Target(model, y), latents, "z", torch.arange(2)))


def transition_gibbs_last(latents, y):
    return gibbs(Target(model, y), mala(Target(model, y), latents), "z", torch.arange(2))
