"""A normal for every entry of U and V."""

from functools import partial

import pyro
import pyro.distributions as dist
import torch

PLATES = {"U": "users", "V": "items"}


def guide(model, data):
    each(model, dist.Normal)


def each(model, distribution):
    """Sites of independent entries, distribution(mean, sd)."""
    for site, plate in PLATES.items():
        shape = model.sites[site]
        mean = pyro.param(f"{site}_mean", partial(torch.normal, 0.0, 0.5, shape))
        sd = pyro.param(f"{site}_sd", partial(torch.full, shape, 0.3), constraint=dist.constraints.positive)
        with pyro.plate(plate, shape[0]):
            pyro.sample(site, distribution(mean, sd).to_event(1))
