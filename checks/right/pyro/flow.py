"""Every row a normal sent through an affine autoregressive flow."""

import pyro
import pyro.distributions as dist
from pyro.distributions.transforms import affine_autoregressive

from checks.right.pyro.normals import PLATES, each


def guide(model):
    flows = {site: affine_autoregressive(model.rank, hidden_dims=[8]) for site in PLATES}

    def rows(data, batch_size=None, batch=None):
        for site, flow in flows.items():
            pyro.module(f"flow_{site}", flow)
        turn = iter(flows.values())
        each(model, lambda mean, sd: Rows(dist.Normal(mean, sd).to_event(1), [next(turn)]))

    return rows


class Rows(dist.TransformedDistribution):
    """Its event is a row already."""

    def to_event(self, reinterpreted_batch_ndims=None):
        return self
