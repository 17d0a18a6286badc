"""A normalizing flow on the items, users conditional on them: q(V) of no fixed shape, and q(U | V) exact.

    V = m + s * f(z),   z ~ N(0, I),      y = f(z):  y_d = z_d exp(a_d(z_1 .. z_d-1)) + b_d(z_1 .. z_d-1)
    log q(V) = log N(z | 0, I) - sum_d (a_d + log s_d)
    q(U | V) = p(U | V, r)

over all entries d of V, which may so depend on each other: the posterior has the same height wherever U and V turn
together, and a q of independent items cannot follow it. a and b are one masked network of a hidden layer; f starts
as the identity. With a fixed q(U) the best q(V) would be Gaussian, and there would be nothing for a flow to do.
Cost: that of `guide_conditional_pyro`, and (items x K)^2 x width a minibatch. Source: Kingma and others, Improved
variational inference with inverse autoregressive flow (2016).

Options:

    width   of the network's hidden layer, in entries of V
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro.distributions.transforms import AffineTransform, ReshapeTransform, affine_autoregressive
from torch import Tensor

from errors import InputError
from inference.factorization.guides import parts as guide_parts
from inference.factorization.guides.parts import mean_and_scale, plain, plates, started, users_given
from inference.footprint import PYRO, latents, tensors
from models.factorization import Factorization
from models.ratings import Ratings

__all__ = ["RATES", "footprint", "guide", "start"]

RATES = guide_parts.RATES | {"flow": 0.05}
MAX_ENTRIES = 2048  # of V: the network has 3 x width numbers for every pair of them


def footprint(model: Factorization, data: Ratings, *, width: int = 1, **_: object) -> int:
    """A chain at work, bytes: a network, its mask and gradient, two averages of this, and all as it is made."""
    entries = model.sites["V"][0] * model.sites["V"][1]
    return PYRO * (latents(model) + tensors(data)) + 6 * 3 * 8 * width * entries**2


def guide(model: Factorization, data: Ratings, *, width: int = 1) -> Callable[..., Any]:
    """Makes the guide; `width` is the hidden layer's, in entries of V."""
    shape = model.sites["V"]
    D = shape[0] * shape[1]
    if D > MAX_ENTRIES or width < 1:
        raise InputError(f"the guide flow has a network over all entries of V, here {D:,}, of a width of at least 1, "
                         f"and can have {MAX_ENTRIES:,}: take the guide conditional")
    flow = affine_autoregressive(D, hidden_dims=[width * D])
    with torch.no_grad():
        for x in (flow.arn.layers[-1].weight, flow.arn.layers[-1].bias):
            x.zero_()

    def flowing(model: Factorization, data: Ratings) -> None:
        pyro.module("flow", flow)
        mean, scale = (x.flatten() for x in mean_and_scale(model, "V"))
        noise = dist.Normal(torch.zeros(D), torch.ones(D)).to_event(1)
        steps = [flow, AffineTransform(mean, scale, event_dim=1, cache_size=1),  # caches, for f^-1 is slow
                 ReshapeTransform(torch.Size([D]), torch.Size(shape), cache_size=1)]
        V = pyro.sample("V", dist.TransformedDistribution(noise, steps))
        users_given(model, data, V, plates(model)["U"])

    return flowing


def start(rng: torch.Generator, model: Factorization, data: Ratings) -> dict[str, Tensor]:
    plain(model, "flow")
    return {name: value for name, value in started(rng, model, data).items() if name.startswith("V")}
