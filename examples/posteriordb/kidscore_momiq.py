"""A regression with flat coefficients: kid_score ~ N(beta_1 + beta_2 mom_iq, sigma). From posteriordb.

    POSTERIORDB=folder python run.py --problem examples/posteriordb/kidscore_momiq.py

A flat prior is `ImproperUniform`: fine for inference, but nothing can be drawn from it, and --check refuses it.
"""

import pyro
import pyro.distributions as dist
from posterior import read
from pyro.distributions import constraints
from torch import Tensor


def model(mom_iq: Tensor, kid_score: Tensor) -> None:
    beta = pyro.sample("beta", dist.ImproperUniform(constraints.real_vector, (), (2,)))
    sigma = pyro.sample("sigma", dist.HalfCauchy(2.5))
    with pyro.plate("kids", len(kid_score)):
        pyro.sample("kid_score", dist.Normal(beta[0] + beta[1] * mom_iq, sigma), obs=kid_score)


def data() -> tuple[Tensor, Tensor]:
    found = read("kidscore_momiq", "kidiq")
    return found["mom_iq"].double(), found["kid_score"].double()
