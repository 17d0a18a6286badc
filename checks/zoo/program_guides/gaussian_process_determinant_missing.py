"""log |L| is left out of the density of f.

Symptom: The scales of f never stop moving.
"""

import pyro
import pyro.distributions as dist
import torch

from checks.right.program.gaussian_process import data, model
from checks.right.program_guides.pieces import normal, told

__all__ = ["data", "guide", "model"]


def guide(x, y):
    for name in ("scale", "alpha"):
        q = normal(f"log_{name}")
        pyro.sample(name, dist.LogNormal(q.loc, q.scale))
    m, A = normal("f", len(x)), pyro.param("A", 0.1 * torch.ones(len(x), len(x)))
    L = A.tril(-1) + m.scale.diag()
    z = torch.randn(len(x))
    log_q = dist.Normal(0.0, 1.0).log_prob(z).sum()
    told("f", m.loc + L @ z, log_q)
