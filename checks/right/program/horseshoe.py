"""A regression with the horseshoe: beta_k ~ N(0, local_k tau)."""

import pyro
import pyro.distributions as dist
import torch

from checks.right.program.pieces import Target, hmc, mala, walk


def model(x, y):
    tau = pyro.sample("tau", dist.HalfCauchy(0.5))
    local = pyro.sample("local", dist.HalfCauchy(1.0).expand([x.shape[1]]).to_event(1))
    beta = pyro.sample("beta", dist.Normal(torch.zeros(x.shape[1]), local * tau).to_event(1))
    with pyro.plate("rows", len(y)):
        pyro.sample("y", dist.Normal(x @ beta, 1.0), obs=y)


def data():
    x = torch.tensor([[-1.0, 0.5, 0.3], [-0.5, -1.0, 1.2], [0.0, 1.5, -0.7],
                      [0.5, 0.0, -1.0], [1.0, -0.5, 0.4], [1.5, 1.0, 0.9]])
    return x, torch.tensor([0.1, -1.0, 1.4, 0.2, -0.3, 2.0])


def transition_walk(latents, x, y):
    return walk(Target(model, x, y), latents)


def transition_hmc(latents, x, y):
    return hmc(Target(model, x, y), latents)


def transition_mala(latents, x, y):
    return mala(Target(model, x, y), latents)
