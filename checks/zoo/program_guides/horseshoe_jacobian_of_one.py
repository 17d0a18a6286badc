"""The Jacobian of the ratio is counted for one coefficient, not for all.

Symptom: tau is fitted wrongly.
"""

import pyro
import pyro.distributions as dist

from checks.right.program.horseshoe import data, model
from checks.right.program_guides.pieces import normal, told

__all__ = ["data", "guide", "model"]


def guide(x, y):
    q = normal("log_tau")
    tau = pyro.sample("tau", dist.LogNormal(q.loc, q.scale))
    q = normal("log_ratio", x.shape[1])
    t = q.rsample()
    local = t.exp() / tau.sqrt()
    told("local", local, (q.log_prob(t) - t).sum() + tau.log() / 2)
    pyro.sample("beta", normal("beta", x.shape[1]).to_event(1))
