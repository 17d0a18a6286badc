"""Right guides for horseshoe: by hand, and two automatic ones."""

import pyro
import pyro.distributions as dist
from pyro.infer.autoguide import AutoMultivariateNormal, AutoNormal

from checks.right.program.horseshoe import data, model
from checks.right.program_guides.pieces import normal, told

__all__ = ["automatic_guide", "data", "guide", "model", "normal_guide"]


def guide(x, y):
    """Scales log-normal, local ones as multiples of tau; coefficients normal."""
    q = normal("log_tau")
    tau = pyro.sample("tau", dist.LogNormal(q.loc, q.scale))
    q = normal("log_ratio", x.shape[1])
    t = q.rsample()
    local = t.exp() / tau.sqrt()
    told("local", local, (q.log_prob(t) - t).sum() + x.shape[1] * tau.log() / 2)
    pyro.sample("beta", normal("beta", x.shape[1]).to_event(1))


def automatic_guide(model):
    return AutoMultivariateNormal(model)


def normal_guide(model):
    return AutoNormal(model)
