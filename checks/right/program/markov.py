"""A hidden Markov model of two states and five times, its states not summed out."""

import pyro
import pyro.distributions as dist
import torch

from checks.right.program.pieces import Target, flip, gibbs, hmc, mala, walk


def model(y):
    stay = pyro.sample("stay", dist.Beta(4.0, 2.0))
    mu = pyro.sample("mu", dist.Normal(torch.tensor([-1.0, 1.5]), 1.0).to_event(1))
    z = torch.zeros(())
    for t in range(len(y)):
        z = pyro.sample(f"z{t}", dist.Bernoulli(torch.where(z > 0, stay, 1 - stay)))
        pyro.sample(f"y{t}", dist.Normal(torch.where(z > 0, mu[1], mu[0]), 0.8), obs=y[t])


def data():
    return torch.tensor([-1.4, -0.2, 1.3, 1.9, -0.6])


def states(move, latents, y, weights=None):
    for k in range(len(y)):
        latents = move(Target(model, y, weights=weights), latents, f"z{k}", torch.arange(2))
    return latents


def transition_walk_and_flip(latents, y):
    return walk(Target(model, y), states(flip, latents, y), sweeps=2)


def transition_hmc_and_gibbs(latents, y):
    return hmc(Target(model, y), states(gibbs, latents, y))


def transition_gibbs_last(latents, y):
    return states(gibbs, mala(Target(model, y), latents), y)
