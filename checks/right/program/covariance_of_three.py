"""A covariance of three numbers, its correlation by an LKJCholesky whose draws are those of its density.

Torch's are not from 3 dimensions on: its squared length of row i below the diagonal is Beta(i - 1/2, .), and should be
Beta(i / 2, .), i = 1, 2, ... (Lewandowski, Kurowicka and Joe 2009, section 3.2).
"""

import pyro
import pyro.distributions as dist
import torch
from torch.distributions import Beta

from checks.right.program.pieces import Target, hmc, mala, walk


class Correlation(dist.LKJCholesky):
    def __init__(self, dim, concentration):
        super().__init__(dim, concentration)
        row = torch.arange(dim).clamp(min=1)
        self._beta = Beta(row / 2, self.concentration + (dim - 1 - row) / 2)


def model(y):
    L = pyro.sample("L", Correlation(3, torch.tensor(2.0)))
    s = pyro.sample("s", dist.LogNormal(0.0, 0.5).expand([3]).to_event(1))
    with pyro.plate("rows", len(y)):
        pyro.sample("y", dist.MultivariateNormal(torch.zeros(3), scale_tril=s[:, None] * L), obs=y)


def data():
    return torch.tensor([[0.3, 0.5, 1.0], [-1.0, -0.2, 0.4], [1.4, 0.1, -0.6], [-0.3, 0.8, 0.2], [0.6, 1.1, -1.3]])


def transition_walk(latents, y):
    return walk(Target(model, y), latents)


def transition_hmc(latents, y):
    return hmc(Target(model, y), latents)


def transition_mala(latents, y):
    return mala(Target(model, y), latents)
