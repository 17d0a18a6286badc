"""The site V is called W, so that V comes from the prior.

Symptom: predictions hardly differ from zero, and the loss is large but falls.
"""

from functools import partial

import pyro
import pyro.distributions as dist
import torch


def guide(model, data):
    for site, plate, shape in (("U", "users", model.sites["U"]), ("W", "items", model.sites["V"])):
        mean = pyro.param(f"{site}_mean", partial(torch.normal, 0.0, 0.5, shape))
        with pyro.plate(plate, shape[0]):
            pyro.sample(site, dist.Normal(mean, 0.1).to_event(1))
