"""Where the log density of a program's continuous latents without constraints is highest, and the curvature there."""

from __future__ import annotations

import torch
from torch import Tensor

from errors import InputError
from inference.program.parts import density, potential
from models import batched
from models.batched import seeded
from models.model import Data, Latents
from models.program import Program

STARTS = 10  # draws of the prior that the climb begins from
STEPS = 200  # of LBFGS, at most
FALLS = 0.01  # nats, by less than which one sd from a peak is as high; about a normal's it is 0.5
INSTEAD = "there is no normal about it; use a guide, or proposal=prior of importance_sampling"


def modes(rng: torch.Generator, model: Program, data: Data, labels: Latents = density.NO_LABELS, starts: int = STARTS
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


def climb(model: Program, data: Data, start: Tensor, labels: Latents = density.NO_LABELS) -> tuple[Tensor, Tensor]:
    """A maximum and its height, by LBFGS with the line search of Wolfe's conditions."""
    quick = data is model.data and not labels
    log_p = potential.log_density(model) if quick else density.of_one(model, data, labels)
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


def curvature(model: Program, data: Data, u: Tensor, labels: Latents = density.NO_LABELS) -> Tensor:
    """-d2 log p / du2, (D, D)."""
    with seeded(torch.Generator()), batched.drawing():
        try:
            found: Tensor = torch.func.hessian(density.of_one(model, data, labels))(u)
        except Exception:  # what vmap cannot do
            found = torch.autograd.functional.hessian(density.of_one(model, data, labels), u)  # type: ignore[no-untyped-call]
    return -(found + found.mT).detach() / 2


def about(model: Program, data: Data, u: Tensor) -> Tensor:
    """L, upper triangular, with L L' = H^-1: a draw of the normal about the peak u is u + L z. Errors: InputError where
    u is no peak."""
    L = half(curvature(model, data, u))
    height, *around = density.at(model, data, torch.cat([u[None], u + L.mT, u - L.mT])).nan_to_num(-torch.inf)
    falls = height - torch.stack(around)
    if not bool((falls > FALLS).all()):
        at = int(falls.argmin()) % len(u)
        name = model.coordinates.names[int(L[:, at].abs().argmax())]
        raise InputError(f"the log density has no peak: from where it is highest it goes on, as high, along {name} (as "
                         f"that of a scale that may be 0), so {INSTEAD}")
    return L


def half(H: Tensor) -> Tensor:
    """L, upper triangular, with L L' = H^-1. Errors: InputError where H is not positive definite."""
    C, failed = torch.linalg.cholesky_ex(H)
    if int(failed) or not bool(torch.isfinite(C).all()):
        raise InputError(f"the log density has no peak: where it is highest it is not curved downwards in every "
                         f"direction (as in a hierarchy whose scale may be 0), so {INSTEAD}")
    return torch.linalg.inv(C).mT
