"""The Jacobian of the softmax is left out for the common shares.

Symptom: Shares are drawn to the corners.
"""

import pyro
import pyro.distributions as dist
from torch.distributions import biject_to, constraints

from checks.right.program.votes import data, model
from checks.right.program_guides.pieces import normal, told

__all__ = ["data", "guide", "model"]


def guide(y):
    q = normal("log_spread")
    pyro.sample("spread", dist.LogNormal(q.loc, q.scale))
    to = biject_to(constraints.simplex)
    q = normal("common", 2)
    z = q.rsample()
    told("common", to(z), q.log_prob(z).sum())
    with pyro.plate("places", len(y)):
        q = normal("share", len(y), 2)
        z = q.rsample()
        told("share", to(z), q.log_prob(z).sum(-1) - to.log_abs_det_jacobian(z, to(z)))
