"""Laplace's approximation: q = N(u*, H^-1) without constraints, u* the maximum and H the curvature there.

    log Z ~ log p(u*, data) + (D / 2) log 2 pi - (1 / 2) log det H

MacKay (2003), chapter 27. Exact where the log density is quadratic. Discrete sites are summed out, and drawn given the
others (`models/summed.py`). Cost: a climb from ten draws of the prior, and D
gradients.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from inference.method import Family, Info, Kind, Latents, Quantities
from inference.program.parts import density, peaks
from inference.program.parts.moments import WEIGHTS
from models.model import Data
from models.program import Program
from models.summed import completed, summed

FAMILY = Family.VARIATIONAL
NAME = "laplace"
DRAWS = 2000  # of q, behind its means


@dataclass(frozen=True)
class State:
    """mean (D,), and the triangle L of H^-1 = L L', (D, D); weights are log p - log q at draws of q. The data are what
    discrete sites are drawn given."""

    mean: Tensor
    L: Tensor
    data: Data
    weights: Tensor


def init(rng: torch.Generator, model: Program, data: Data) -> State:
    """Errors: InputError for discrete sites that cannot be summed out, and where the maximum is no peak."""
    model = summed(model, NAME)
    mean = peaks.modes(rng, model, data)[0]
    return State(mean, peaks.about(model, data, mean), data, mean.new_zeros(0))


def step(rng: torch.Generator, state: State, model: Program, data: Data) -> tuple[State, Info]:
    """There is one step: what the peak says of the evidence, and how far q is from the posterior."""
    model = summed(model, NAME)
    D, height = len(state.mean), float(density.at(model, data, state.mean[None])[0])
    log_z = height + D / 2 * math.log(2 * math.pi) + float(state.L.diagonal().log().sum())
    z = torch.randn(DRAWS, D, generator=rng, dtype=torch.float64)
    log_q = -(z**2).sum(-1) / 2 - D / 2 * math.log(2 * math.pi) - state.L.diagonal().log().sum()
    weights = density.at(model, data, state.mean + z @ state.L.mT) - log_q
    return replace(state, weights=weights), Info(log_evidence=log_z, kind=Kind.ESTIMATE, residual=0.0)


def draw(rng: torch.Generator, state: State, model: Program) -> Latents:
    z = torch.randn(len(state.mean), generator=rng, dtype=torch.float64)
    latents, _ = model.coordinates.latents(state.mean + state.L @ z)
    return completed(rng, summed(model, NAME), latents, state.data)


def expect(state: State, model: Program) -> Quantities:
    """Means over draws of q of the latents as they are named, and the weights."""
    rng = torch.Generator().manual_seed(0)
    latents = density.latents_at(model, state.mean + torch.randn(DRAWS, len(state.mean), generator=rng,
                                                                 dtype=torch.float64) @ state.L.mT)
    found = model.quantities(completed(rng, summed(model, NAME), latents, state.data))
    return {name: x.mean(0) for name, x in found.items()} | {WEIGHTS: state.weights}
