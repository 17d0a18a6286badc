"""Laplace's approximation: q = N(u*, H^-1) without constraints, u* the maximum and H the curvature there.

    log Z ~ log p(u*, data) + (D / 2) log 2 pi - (1 / 2) log det H

MacKay (2003), chapter 27. Exact where the log density is quadratic. Cost: a climb from ten draws of the prior, and D
gradients.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from errors import InputError
from inference.method import Family, Info, Kind, Latents, Quantities
from inference.program.parts import density
from inference.program.parts.moments import WEIGHTS
from models.model import Data
from models.program import Program

FAMILY = Family.VARIATIONAL
DRAWS = 2000  # of q, behind its means


@dataclass(frozen=True)
class State:
    """mean (D,), and the triangle L of H^-1 = L L', (D, D); weights are log p - log q at draws of q."""

    mean: Tensor
    L: Tensor
    weights: Tensor


def init(rng: torch.Generator, model: Program, data: Data) -> State:
    """Errors: InputError for discrete sites, and where the maximum is no peak."""
    if model.known.discrete:
        raise InputError(f"laplace is for continuous sites, and {next(iter(model.known.discrete))} is discrete: use "
                         f"nuts_pyro or a guide, which sum it out, or composite_gibbs_pyro")
    mean = density.modes(rng, model, data)[0]
    return State(mean, density.half(density.curvature(model, data, mean)), mean.new_zeros(0))


def step(rng: torch.Generator, state: State, model: Program, data: Data) -> tuple[State, Info]:
    """There is one step: what the peak says of the evidence, and how far q is from the posterior."""
    D, height = len(state.mean), float(density.at(model, data, state.mean[None])[0])
    log_z = height + D / 2 * math.log(2 * math.pi) + float(state.L.diagonal().log().sum())
    z = torch.randn(DRAWS, D, generator=rng, dtype=torch.float64)
    log_q = -(z**2).sum(-1) / 2 - D / 2 * math.log(2 * math.pi) - state.L.diagonal().log().sum()
    weights = density.at(model, data, state.mean + z @ state.L.mT) - log_q
    return State(state.mean, state.L, weights), Info(log_evidence=log_z, kind=Kind.ESTIMATE, residual=0.0)


def draw(rng: torch.Generator, state: State, model: Program) -> Latents:
    z = torch.randn(len(state.mean), generator=rng, dtype=torch.float64)
    return model.coordinates.latents(state.mean + state.L @ z)[0]


def expect(state: State, model: Program) -> Quantities:
    """Means over draws of q of the latents as they are named, and the weights."""
    z = torch.randn(DRAWS, len(state.mean), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = model.quantities(density.latents_at(model, state.mean + z @ state.L.mT))
    return {name: x.mean(0) for name, x in found.items()} | {WEIGHTS: state.weights}
