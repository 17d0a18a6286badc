"""The log density of a program's continuous latents without constraints, and where it is highest.

    log p(u, data) = log p(T(u), data) + log |det dT / du|
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from errors import InputError
from models import batched
from models.batched import seeded
from models.model import Data, Latents
from models.program import Program

STARTS = 10  # draws of the prior that the climb begins from
STEPS = 200  # of LBFGS, at most
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


def modes(rng: torch.Generator, model: Program, data: Data, labels: Latents = NO_LABELS, starts: int = STARTS
          ) -> Tensor:
    """Where climbs from draws of the prior end, the highest first, (m, D). Errors: InputError if none ends."""
    found = []
    for _ in range(starts):
        try:
            u, height = climb(model, data, model.coordinates.free(model.prior(rng)), labels)
        except RuntimeError:  # a Cholesky factor far out, say
            continue
        if bool(torch.isfinite(u).all()) and torch.isfinite(height):
            found.append((float(height), u))
    if not found:
        raise InputError(f"none of {starts} climbs from draws of the prior came to a maximum of the log density: look "
                         f"at the data and the priors, or use nuts_pyro")
    return torch.stack([u for _, u in sorted(found, key=lambda each: -each[0])])


def climb(model: Program, data: Data, start: Tensor, labels: Latents = NO_LABELS) -> tuple[Tensor, Tensor]:
    """A maximum and its height, by LBFGS with the line search of Wolfe's conditions."""
    log_p = of_one(model, data, labels)
    u = start.clone().requires_grad_(True)
    optimiser = torch.optim.LBFGS([u], max_iter=STEPS, tolerance_grad=1e-9, tolerance_change=1e-12,
                                  line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        with seeded(torch.Generator()):
            value = -log_p(u)
            value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return u.detach(), -loss().detach()


def curvature(model: Program, data: Data, u: Tensor, labels: Latents = NO_LABELS) -> Tensor:
    """-d2 log p / du2, (D, D)."""
    with seeded(torch.Generator()), batched.drawing():
        try:
            found: Tensor = torch.func.hessian(of_one(model, data, labels))(u)
        except Exception:  # what vmap cannot do
            found = torch.autograd.functional.hessian(of_one(model, data, labels), u)  # type: ignore[no-untyped-call]
    return -(found + found.mT).detach() / 2


def half(H: Tensor) -> Tensor:
    """L, upper triangular, with L L' = H^-1. Errors: InputError where H is not positive definite."""
    C, failed = torch.linalg.cholesky_ex(H)
    if int(failed) or not bool(torch.isfinite(C).all()):
        raise InputError("the log density has no peak: where it is highest it is not curved downwards in every "
                         "direction (as in a hierarchy whose scale may be 0), so there is no normal about it; use a "
                         "guide, or proposal=prior of importance_sampling")
    return torch.linalg.inv(C).mT
