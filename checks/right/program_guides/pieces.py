"""Right parts of guides: normal numbers, and sites that tell their own density."""

import pyro
import pyro.distributions as dist
import torch
from torch.distributions import constraints


def normal(name, *shape):
    """q of these numbers, each by itself."""
    loc = pyro.param(f"{name}_loc", torch.zeros(shape))
    scale = pyro.param(f"{name}_scale", torch.full(shape, 0.5), constraint=constraints.positive)
    return dist.Normal(loc, scale)


def told(name, value, log_q):
    """A site at a value that was drawn elsewhere, with its log density; of an event, added up."""
    return pyro.sample(name, dist.Delta(value, log_density=log_q, event_dim=value.dim() - log_q.dim()))
