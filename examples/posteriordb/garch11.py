"""GARCH(1, 1): sigma_t^2 = alpha0 + alpha1 (y_{t-1} - mu)^2 + beta1 sigma_{t-1}^2. posteriordb's garch-garch11.

    POSTERIORDB=folder python run.py --problem examples/posteriordb/garch11.py --method nuts_pyro

All priors are flat. That of beta1 is on [0, 1 - alpha1], an interval that moves, which NUTS cannot follow: so beta1 is
the share `part` of it, and (alpha1, beta1) is uniform on its triangle where alpha1 ~ Beta(1, 2), part ~ Uniform(0, 1).
"""

import pyro
import pyro.distributions as dist
import torch
from posterior import read
from pyro.distributions import constraints
from torch import Tensor


def model(sigma1: float, y: Tensor) -> None:
    mu = pyro.sample("mu", dist.ImproperUniform(constraints.real, (), ()))
    alpha0 = pyro.sample("alpha0", dist.ImproperUniform(constraints.positive, (), ()))
    alpha1 = pyro.sample("alpha1", dist.Beta(1.0, 2.0))
    part = pyro.sample("part", dist.Uniform(0.0, 1.0))
    beta1 = pyro.deterministic("beta1", part * (1 - alpha1))
    pyro.sample("y", dist.Normal(mu, sigmas(sigma1, y - mu, alpha0, alpha1, beta1)).to_event(1), obs=y)


def sigmas(sigma1: float, r: Tensor, alpha0: Tensor, alpha1: Tensor, beta1: Tensor) -> Tensor:
    """The recursion written out, sigma_t^2 = sum_s beta1^(t - s) news_s: one product in place of a loop over times."""
    news = torch.cat([torch.tensor([sigma1**2]), alpha0 + alpha1 * r[:-1] ** 2])
    lag = torch.arange(len(r))[:, None] - torch.arange(len(r))
    return ((beta1 ** lag.clamp(min=0)).tril() @ news).sqrt()


def data() -> tuple[float, Tensor]:
    found = read("garch11", "garch")
    return found["sigma1"], found["y"].double()
