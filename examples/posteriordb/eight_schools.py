"""Eight schools, non-centred: theta = mu + tau z, z ~ N(0, 1). posteriordb's eight_schools-eight_schools_noncentered.

    POSTERIORDB=folder python run.py --problem examples/posteriordb/eight_schools.py --method nuts_pyro

In z the posterior has no funnel, and NUTS goes everywhere; eight_schools_centred.py is the same model in theta.
"""

import pyro
import pyro.distributions as dist
from posterior import read
from torch import Tensor


def model(sigma: Tensor, y: Tensor) -> None:
    mu = pyro.sample("mu", dist.Normal(0.0, 5.0))
    tau = pyro.sample("tau", dist.HalfCauchy(5.0))
    with pyro.plate("schools", len(y)):
        z = pyro.sample("z", dist.Normal(0.0, 1.0))
        theta = pyro.deterministic("theta", mu + tau * z)
        pyro.sample("y", dist.Normal(theta, sigma), obs=y)


def data() -> tuple[Tensor, Tensor]:
    found = read("eight_schools_noncentered", "eight_schools")
    return found["sigma"].double(), found["y"].double()
