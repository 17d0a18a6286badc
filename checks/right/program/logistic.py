"""Logistic regression: logit p(y = 1) = a + x b."""

import pyro
import pyro.distributions as dist
import torch

from checks.right.program.pieces import Target, hmc, mala, walk


def model(x, y):
    a = pyro.sample("a", dist.Normal(0.0, 1.0))
    b = pyro.sample("b", dist.Normal(0.0, 1.5).expand([x.shape[1]]).to_event(1))
    with pyro.plate("rows", len(y)):
        pyro.sample("y", dist.Bernoulli(logits=a + x @ b), obs=y)


def data():
    x = torch.tensor([[-1.0, 0.5], [-0.5, -1.0], [0.0, 1.5],
                      [0.5, 0.0], [1.0, -0.5], [1.5, 1.0], [2.0, -1.5], [-1.5, 0.2]])
    return x, torch.tensor([0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0])


def transition_walk(latents, x, y):
    return walk(Target(model, x, y), latents)


def transition_hmc(latents, x, y):
    return hmc(Target(model, x, y), latents)


def transition_mala(latents, x, y):
    return mala(Target(model, x, y), latents)
