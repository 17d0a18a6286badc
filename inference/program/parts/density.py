"""The log density of a program's continuous latents without constraints.

    log p(u, data) = log p(T(u), data) + log |det dT / du|
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from models import batched
from models.batched import seeded
from models.model import Data, Latents
from models.program import Program

NO_LABELS: Latents = {}


def of_one(model: Program, data: Data, labels: Latents = NO_LABELS) -> Callable[[Tensor], Tensor]:
    """The log density of one u, (D,), in nats; within `seeded`."""
    coordinates = model.coordinates

    def log_p(u: Tensor) -> Tensor:
        latents, log_det = coordinates.latents(u)
        return torch.stack(list(model.terms({**latents, **labels}, data).values())).sum() + log_det

    return log_p


def at(model: Program, data: Data, u: Tensor, labels: Latents = NO_LABELS) -> Tensor:
    """The log density of many, (n, D), as (n,)."""
    with seeded(torch.Generator()), torch.no_grad():
        found: Tensor = batched.over(of_one(model, data, labels), [u], model.vectorised)
    return found


def latents_at(model: Program, u: Tensor) -> Latents:
    """T(u) of many, (n, D)."""
    found: Latents = torch.func.vmap(lambda x: model.coordinates.latents(x)[0])(u)
    return found
