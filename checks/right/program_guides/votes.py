"""Right guides for votes: by hand, and two automatic ones."""

import pyro
import pyro.distributions as dist
from pyro.infer.autoguide import AutoMultivariateNormal, AutoNormal
from torch.distributions import biject_to, constraints

from checks.right.program.votes import data, model
from checks.right.program_guides.pieces import normal, told

__all__ = ["automatic_guide", "data", "guide", "model", "normal_guide"]


def guide(y):
    """Shares by the softmax of stick-breaking, z normal."""
    q = normal("log_spread")
    pyro.sample("spread", dist.LogNormal(q.loc, q.scale))
    to = biject_to(constraints.simplex)
    q = normal("common", 2)
    z = q.rsample()
    told("common", to(z), q.log_prob(z).sum() - to.log_abs_det_jacobian(z, to(z)))
    with pyro.plate("places", len(y)):
        q = normal("share", len(y), 2)
        z = q.rsample()
        told("share", to(z), q.log_prob(z).sum(-1) - to.log_abs_det_jacobian(z, to(z)))


def automatic_guide(model):
    return AutoMultivariateNormal(model)


def normal_guide(model):
    return AutoNormal(model)
