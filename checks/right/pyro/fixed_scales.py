"""Only the means are fitted: a small family, which is poor, and right."""

from functools import partial

import pyro
import pyro.distributions as dist
import torch

from checks.right.pyro.normals import PLATES


def guide(model, data):
    for site, plate in PLATES.items():
        shape = model.sites[site]
        mean = pyro.param(f"{site}_mean", partial(torch.normal, 0.0, 0.5, shape))
        with pyro.plate(plate, shape[0]):
            pyro.sample(site, dist.Normal(mean, 0.2).to_event(1))
