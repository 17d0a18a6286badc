"""Composite Gibbs: discrete sites drawn given all others, the continuous ones moved by NUTS on the model so held.

Geman and Geman (1984); see `inference.pyro.gibbs`. It is for programs with discrete sites, and for those in which the
support of a site changes with others. Cost of a step: one of NUTS, and for every entry of a discrete site K runs of
the model.

Options:

    warmup   steps in which NUTS adapts; they are no draws
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from pyro.infer import NUTS

from errors import InputError
from inference.method import Family, Info, Latents
from inference.pyro import from_kernel
from inference.pyro.from_kernel import State, draw
from inference.pyro.gibbs import DiscreteGibbs, Gibbs
from models.batched import double
from models.model import Data
from models.program import Program

FAMILY = Family.MCMC

__all__ = ["FAMILY", "State", "draw", "init", "start", "step"]


def init(rng: torch.Generator, model: Program, data: Data, *, warmup: int = 300) -> State:
    """Its start: a draw of the prior that the data allow."""
    return start(rng, model, data, None, warmup=warmup)


def start(rng: torch.Generator, model: Program, data: Data, latents: Latents | None, *, warmup: int = 0) -> State:
    if not model.known.discrete and not any(site.moves for site in model.known.latent.values()):
        raise InputError("composite_gibbs_pyro is for programs with discrete sites, or with a support that changes, "
                         "and this one has none: use nuts_pyro")
    with double():
        return from_kernel.begin(rng, model, data, kernel(), warmup, latents)


def step(rng: torch.Generator, state: State, model: Program, data: Data) -> tuple[State, Info]:
    with double():
        return from_kernel.advance(rng, state, model, data, kernel())


def kernel() -> Callable[[Program], Gibbs]:
    def made(model: Program) -> Gibbs:
        blocks = [(NUTS, list(model.known.continuous))] if model.known.continuous else []
        return Gibbs(model.program, [*blocks, *[(DiscreteGibbs, [name]) for name in model.known.discrete]])

    return made
