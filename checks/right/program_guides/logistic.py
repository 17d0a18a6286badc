"""Right guides for logistic: by hand, and two automatic ones."""

import pyro
import torch
from pyro.infer.autoguide import AutoMultivariateNormal, AutoNormal

from checks.right.program.logistic import data, model
from checks.right.program_guides.pieces import normal, told

__all__ = ["automatic_guide", "data", "guide", "model", "normal_guide"]


def guide(x, y):
    """Both sites normal, b by its noise."""
    pyro.sample("a", normal("a"))
    q = normal("b", x.shape[1])
    b = q.loc + q.scale * torch.randn(x.shape[1])
    told("b", b, q.log_prob(b).sum())


def automatic_guide(model):
    return AutoMultivariateNormal(model)


def normal_guide(model):
    return AutoNormal(model)
