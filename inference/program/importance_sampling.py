"""Importance sampling: draws of a proposal q weighted by p / q, their tail smoothed (PSIS).

    log Z ~ log mean_r w_r,   E[f] ~ sum_r w_r f_r / sum_r w_r,   w_r = p(u_r, data) / q(u_r)

q is Student's t of 5 degrees of freedom about the highest mode with Laplace's covariance, or the prior. The largest
weights are replaced by quantiles of a generalised Pareto fitted to them, whose shape k-hat says whether to trust the
answer: above 0.7 it is not to be used (Vehtari et al. 2024). Discrete sites are summed out, and drawn given the others
(`models/summed.py`). Cost of a step: the log joint 1,000 times.

Options:

    proposal   about Laplace's mode, or the prior, whose weights are the likelihoods
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from inference.method import Family, Info, Kind, Latents, Quantities
from inference.program.parts import density, peaks, psis
from inference.program.parts.moments import WEIGHTS, weighted
from models.model import Data
from models.program import Program
from models.summed import completed, summed

FAMILY = Family.VARIATIONAL
NAME = "importance_sampling"
BATCH = 1000
NU = 5.0


@dataclass(frozen=True)
class State:
    """The proposal, N(mean, L L') before its tails are made heavy; draws of it, (n, D), and log weights, (n,). The data
    are what discrete sites are drawn given."""

    mean: Tensor
    L: Tensor
    u: Tensor
    weights: Tensor
    proposal: str
    data: Data


def init(rng: torch.Generator, model: Program, data: Data, *, proposal: Literal["laplace", "prior"] = "laplace"
         ) -> State:
    """Errors: InputError for discrete sites that cannot be summed out."""
    model = summed(model, NAME)
    D = model.coordinates.size
    if proposal == "prior":
        mean, L = torch.zeros(D, dtype=torch.float64), torch.eye(D, dtype=torch.float64)
    else:
        mean = peaks.modes(rng, model, data)[0]
        L = peaks.about(model, data, mean)
    return State(mean, L, mean.new_zeros(0, D), mean.new_zeros(0), proposal, data)


def step(rng: torch.Generator, state: State, model: Program, data: Data) -> tuple[State, Info]:
    model = summed(model, NAME)
    if state.proposal == "prior":
        latents, _ = model.joint(rng, BATCH)
        u = torch.func.vmap(model.coordinates.free)(latents)
        new = density.at(model, data, u) - density.at(model, {}, u)
    else:
        u, log_q = heavy(rng, state)
        new = density.at(model, data, u) - log_q
    state = replace(state, u=torch.cat([state.u, u]), weights=torch.cat([state.weights, new]))
    smooth, _ = psis.smoothed(state.weights)
    return state, Info(log_evidence=float(smooth.logsumexp(0)) - math.log(len(smooth)), kind=Kind.ESTIMATE)


def heavy(rng: torch.Generator, state: State) -> tuple[Tensor, Tensor]:
    """Draws of the multivariate t, (BATCH, D), and their log density."""
    D = len(state.mean)
    z = torch.randn(BATCH, D, generator=rng, dtype=torch.float64)
    chi = torch.randn(BATCH, int(NU), generator=rng, dtype=torch.float64).square().sum(-1)
    t = z * (NU / chi).sqrt()[:, None]
    constant = (math.lgamma((NU + D) / 2) - math.lgamma(NU / 2) - D / 2 * math.log(NU * math.pi)
                - float(state.L.diagonal().log().sum()))
    return state.mean + t @ state.L.mT, constant - (NU + D) / 2 * ((t**2).sum(-1) / NU).log1p()


def draw(rng: torch.Generator, state: State, model: Program) -> Latents:
    """One of the draws, chosen by weight."""
    smooth, _ = psis.smoothed(state.weights)
    chosen = torch.multinomial((smooth - smooth.max()).exp(), 1, generator=rng)[0]
    latents, _ = model.coordinates.latents(state.u[chosen])
    return completed(rng, summed(model, NAME), latents, state.data)


def expect(state: State, model: Program) -> Quantities:
    w = torch.softmax(psis.smoothed(state.weights)[0], 0)
    latents = completed(torch.Generator().manual_seed(0), summed(model, NAME), density.latents_at(model, state.u),
                        state.data)
    found = model.quantities(latents)
    return weighted(w, found) | {WEIGHTS: state.weights}

