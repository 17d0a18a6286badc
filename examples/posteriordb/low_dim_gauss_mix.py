"""A mixture of two normals whose means are in order. posteriordb's low_dim_gauss_mix-low_dim_gauss_mix.

    POSTERIORDB=folder python run.py --problem examples/posteriordb/low_dim_gauss_mix.py

Which normal a number is of is summed out by `MixtureSameFamily`. `Ordered` is the prior of numbers that are drawn alike
and then sorted: proper, so that --check can draw from it.
"""

import math
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from posterior import read
from pyro.distributions import constraints
from torch import Tensor


class Ordered(dist.TorchDistribution):  # type: ignore[misc]
    """K independent draws of `one`, sorted: K! prod_k p(x_k) where x_1 < ... < x_K."""

    support = constraints.ordered_vector
    arg_constraints: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, one: Any, K: int) -> None:
        self.one, self.K = one, K
        super().__init__(one.batch_shape, torch.Size([K]), validate_args=False)

    def rsample(self, sample_shape: Any = torch.Size()) -> Tensor:  # noqa: B008
        drawn: Tensor = self.one.expand([*sample_shape, *self.batch_shape, self.K]).rsample()
        return drawn.sort(-1).values

    def log_prob(self, x: Tensor) -> Tensor:
        found: Tensor = self.one.log_prob(x).sum(-1) + math.lgamma(self.K + 1)
        return found


def model(y: Tensor) -> None:
    mu = pyro.sample("mu", Ordered(dist.Normal(0.0, 2.0), 2))
    sigma = pyro.sample("sigma", dist.HalfNormal(2.0).expand([2]).to_event(1))
    theta = pyro.sample("theta", dist.Beta(5.0, 5.0))
    which = dist.Categorical(torch.stack([theta, 1 - theta]))
    with pyro.plate("numbers", len(y)):
        pyro.sample("y", dist.MixtureSameFamily(which, dist.Normal(mu, sigma)), obs=y)


def data() -> Tensor:
    return read("low_dim_gauss_mix")["y"].double()
