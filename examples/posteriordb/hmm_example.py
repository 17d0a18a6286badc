"""A hidden Markov model of two states, summed over the states by DiscreteHMM. posteriordb's hmm_example.

    POSTERIORDB=folder python run.py --problem examples/posteriordb/hmm_example.py --method nuts_pyro

A term of one's own is `pyro.factor`: here the prior of means that are positive and in order, and the first time. Such a
model can be run; --check wants a prior that can be drawn from, as in low_dim_gauss_mix.py, and simulate(rng, latents).
"""

import pyro
import pyro.distributions as dist
import torch
from posterior import read
from pyro.distributions import constraints
from torch import Tensor


def model(y: Tensor) -> None:
    theta1 = pyro.sample("theta1", dist.Dirichlet(torch.ones(2)))
    theta2 = pyro.sample("theta2", dist.Dirichlet(torch.ones(2)))
    mu = pyro.sample("mu", dist.ImproperUniform(constraints.positive_ordered_vector, (), (2,)))
    pyro.factor("prior of mu", dist.Normal(torch.tensor([3.0, 10.0]), 1.0).log_prob(mu).sum())
    first = dist.Normal(mu, 1.0).log_prob(y[0])  # each state may be the first, with weight 1
    pyro.factor("first y", first.logsumexp(0))
    pyro.sample("y", dist.DiscreteHMM(first, torch.stack([theta1, theta2]).log(), dist.Normal(mu, 1.0)), obs=y[1:])


def data() -> Tensor:
    return read("hmm_example")["y"].double()
