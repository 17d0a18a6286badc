"""A Gaussian process: covariance alpha^2 exp(-(x - x')^2 / (2 rho^2)) + sigma I. posteriordb's gp_pois_regr-gp_regr.

    POSTERIORDB=folder python run.py --problem examples/posteriordb/gp_regr.py

sigma is a variance, as in posteriordb.
"""

import pyro
import pyro.distributions as dist
import torch
from posterior import read
from torch import Tensor


def model(x: Tensor, y: Tensor) -> None:
    rho = pyro.sample("rho", dist.Gamma(25.0, 4.0))
    alpha = pyro.sample("alpha", dist.HalfNormal(2.0))
    sigma = pyro.sample("sigma", dist.HalfNormal(1.0))
    squares = (x[:, None] - x) ** 2
    K = alpha**2 * torch.exp(-squares / (2 * rho**2)) + sigma * torch.eye(len(x))
    pyro.sample("y", dist.MultivariateNormal(torch.zeros(len(x)), K), obs=y)


def data() -> tuple[Tensor, Tensor]:
    found = read("gp_regr", "gp_pois_regr")
    return found["x"].double(), found["y"].double()
