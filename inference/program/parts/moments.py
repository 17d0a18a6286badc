"""What `expect` of a method for a program says, by names that no site can have for its own."""

from __future__ import annotations

import torch
from torch import Tensor

from inference.method import Quantities

WEIGHTS = "log p(latents, data) - log q(latents)"  # in nats, at draws of q


def sd_of(site: str) -> str:
    """The name of a site's standard deviations; a site may well be called x_sd.

    >>> sd_of("x")
    'sd of x'
    """
    return f"sd of {site}"


def weighted(p: Tensor, found: Quantities) -> Quantities:
    """Means and standard deviations under the probabilities p (n,) of quantities (n, ...)."""
    means = {name: torch.tensordot(p, x, 1) for name, x in found.items()}
    return means | {sd_of(site): torch.tensordot(p, (found[site] - means[site]) ** 2, 1).sqrt() for site in found}
