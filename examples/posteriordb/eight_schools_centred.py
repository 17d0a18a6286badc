"""Eight schools, centred: theta ~ N(mu, tau), as one writes it first; eight_schools.py says how to sample it.

Where tau is small all theta are close to mu, and a step size that is right outside is too long there: NUTS seldom
comes to an R-hat of 1.01. A longer warm-up and a higher target help a little:

    POSTERIORDB=folder python run.py --problem examples/posteriordb/eight_schools_centred.py \
        --method nuts_pyro:target_accept=0.95 --sweeps 3000
"""

import pyro
import pyro.distributions as dist
from posterior import read
from torch import Tensor


def model(sigma: Tensor, y: Tensor) -> None:
    mu = pyro.sample("mu", dist.Normal(0.0, 5.0))
    tau = pyro.sample("tau", dist.HalfCauchy(5.0))
    with pyro.plate("schools", len(y)):
        theta = pyro.sample("theta", dist.Normal(mu, tau))
        pyro.sample("y", dist.Normal(theta, sigma), obs=y)


def data() -> tuple[Tensor, Tensor]:
    found = read("eight_schools_noncentered", "eight_schools")
    return found["sigma"].double(), found["y"].double()
