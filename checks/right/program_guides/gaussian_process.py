"""Right guides for gaussian_process: by hand, and two automatic ones."""

import pyro
import pyro.distributions as dist
import torch
from pyro.infer.autoguide import AutoMultivariateNormal, AutoNormal

from checks.right.program.gaussian_process import data, model
from checks.right.program_guides.pieces import normal, told

__all__ = ["automatic_guide", "data", "guide", "model", "normal_guide"]


def guide(x, y):
    """f = m + L z, z ~ N(0, I)."""
    for name in ("scale", "alpha"):
        q = normal(f"log_{name}")
        pyro.sample(name, dist.LogNormal(q.loc, q.scale))
    m, A = normal("f", len(x)), pyro.param("A", 0.1 * torch.ones(len(x), len(x)))
    L = A.tril(-1) + m.scale.diag()
    z = torch.randn(len(x))
    log_q = dist.Normal(0.0, 1.0).log_prob(z).sum() - m.scale.log().sum()
    told("f", m.loc + L @ z, log_q)


def automatic_guide(model):
    return AutoMultivariateNormal(model)


def normal_guide(model):
    return AutoNormal(model)
