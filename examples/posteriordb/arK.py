"""An autoregression: y_t ~ N(alpha + sum_k beta_k y_{t-k}, sigma), t > K. posteriordb's arK-arK.

    POSTERIORDB=folder python run.py --problem examples/posteriordb/arK.py --method nuts_pyro

The lags are a matrix made once, in `data`, so that the model is a regression on them.
"""

import pyro
import pyro.distributions as dist
import torch
from posterior import read
from torch import Tensor


def model(lags: Tensor, y: Tensor) -> None:
    alpha = pyro.sample("alpha", dist.Normal(0.0, 10.0))
    beta = pyro.sample("beta", dist.Normal(0.0, 10.0).expand([lags.shape[1]]).to_event(1))
    sigma = pyro.sample("sigma", dist.HalfCauchy(2.5))
    with pyro.plate("times", len(y)):
        pyro.sample("y", dist.Normal(alpha + lags @ beta, sigma), obs=y)


def data() -> tuple[Tensor, Tensor]:
    found = read("arK")
    K, y = found["K"], found["y"].double()
    return torch.stack([y[K - k: len(y) - k] for k in range(1, K + 1)], 1), y[K:]
