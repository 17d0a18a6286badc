"""Laplace's scales, of the log joint's curvature at the means, entry by entry: only the means are fitted."""

from functools import partial

import pyro
import pyro.distributions as dist
import torch

from checks.right.pyro.normals import PLATES


def guide(model, data):
    means = {site: pyro.param(f"{site}_mean", partial(torch.normal, 0.0, 0.5, shape))
             for site, shape in model.sites.items()}
    for site, plate, own, other in (("U", PLATES["U"], data.user, means["V"][data.item]),
                                    ("V", PLATES["V"], data.item, means["U"][data.user])):
        shape = model.sites[site]
        curvature = torch.zeros(shape, dtype=other.dtype).index_add(0, own, other.square()) / model.noise_variance
        scale = (1 / model.prior_variance + curvature).rsqrt().to(means[site].dtype)
        with pyro.plate(plate, shape[0]):
            pyro.sample(site, dist.Normal(means[site], scale).to_event(1))
