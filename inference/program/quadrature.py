"""Exact to stated digits: the trapezoidal rule on a grid of up to three numbers without constraints.

    Z = int p(u, data) du ~ h^D sum_grid p(u, data),   E[f] ~ sum_grid f p / sum_grid p

Discrete sites are summed out (`models/summed.py`), and their means follow from p(z | u, data) at every point; where
they cannot be, every value is gone through, if there are few. For smooth densities that vanish at the border the error
falls faster than any power of h (Trefethen and Weideman 2014): h is divided by 1.5 until that changes log Z by less
than 1e-8 nats. It covers the modes that climbs from draws of the prior find. Cost: the log joint at every point.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from errors import InputError
from inference.method import Family, Info, Kind, Latents, Quantities
from inference.program.parts import density, peaks, states
from inference.program.parts.moments import sd_of, weighted
from models.model import Data
from models.program import Program
from models.summed import Summed, completed, of, summed

FAMILY = Family.EXACT
LARGEST = 3  # numbers without constraints
STATES = 64  # values of the discrete sites
POINTS = 2**21  # of the finest grid
FIRST = {1: 257, 2: 65, 3: 33}  # points an axis
FINER = 1.5  # not 2, which leaves two grids of three numbers
REACH = 8.0  # standard deviations about every mode, to begin with
DEEP = 30.0  # nats below the highest, what may lie beyond the border
WIDER, ROUNDS = 1.5, 40
SETTLED = 0.7  # of its size, to which another look would have to shrink the box
AGREE = 1e-8  # nats
NEGLIGIBLE = 1e-20  # probability of a point


@dataclass(frozen=True)
class State:
    """Points u (n, D), the number of the discrete sites' value at each (n,), and log p(u, z, data) + D log h (n,). The
    data are what discrete sites are drawn given, where they are summed out."""

    u: Tensor
    number: Tensor
    log_p: Tensor
    width: Tensor  # h, (D,)
    data: Data


def init(rng: torch.Generator, model: Program, data: Data) -> State:
    """Errors: InputError for too many numbers."""
    D = model.coordinates.size
    if not 1 <= D <= LARGEST:
        raise InputError(f"quadrature is for one to three continuous numbers, and these are {D}: use "
                         + ("enumeration" if D == 0 else "nuts_pyro"))
    easier(model)
    empty = torch.zeros(0, dtype=torch.float64)
    return State(empty.reshape(0, D), empty.long(), empty, torch.zeros(D, dtype=torch.float64), data)


def easier(model: Program) -> Program:
    """With its discrete sites summed out; where they cannot be, or deterministic sites may depend on them, as it is if
    they have few values. Errors: InputError where they have many."""
    listed = bool(model.known.deterministic) or (model.known.discrete and isinstance(of(model), str))
    return model if listed and states.few(model, STATES) else summed(model, "quadrature")


def step(rng: torch.Generator, state: State, model: Program, data: Data) -> tuple[State, Info]:
    model = easier(model)
    low, high = box(rng, model, data)
    D = len(low)
    n = FIRST[D]
    coarse = math.inf
    while n**D * states.count(model) <= POINTS:
        found = grid(model, data, low, high, n)
        fine = float(found.log_p.logsumexp(0))
        if abs(fine - coarse) <= AGREE:
            return lighter(found), Info(log_evidence=fine, kind=Kind.EXACT)
        coarse, n = fine, int(FINER * (n - 1)) + 1
    raise InputError(f"quadrature has not settled with {POINTS:,} points: a finer grid still changes log Z by more "
                     f"than {AGREE:g} nats, so the density has edges or is very narrow, as where numbers are strongly "
                     f"correlated; use nuts_pyro")


def box(rng: torch.Generator, model: Program, data: Data) -> tuple[Tensor, Tensor]:
    """Where the density is: about every mode, and then as far as it is not negligible at the border."""
    low, high = [], []
    for number in range(states.count(model)):
        labels = one(states.at(model, torch.tensor([number])))
        for u in peaks.modes(rng, model, data, labels):
            sd = peaks.curvature(model, data, u, labels).diagonal().clamp(min=1e-4).rsqrt()
            low.append(u - REACH * sd)
            high.append(u + REACH * sd)
    left, right = torch.stack(low).amin(0), torch.stack(high).amax(0)
    for _ in range(ROUNDS):
        found = grid(model, data, left, right, FIRST[len(left)] // 4 * 2 + 1)
        open_left, open_right = borders(found, left, right)
        if not bool((open_left | open_right).any()):
            near = found.u[found.log_p > found.log_p.max() - DEEP]
            smaller = near.amin(0) - found.width, near.amax(0) + found.width
            if bool((smaller[1] - smaller[0] > SETTLED * (right - left)).all()):
                return left, right
            left, right = smaller
            continue
        size = right - left
        left, right = (torch.where(open_left, left - (WIDER - 1) * size, left),
                       torch.where(open_right, right + (WIDER - 1) * size, right))
    raise InputError("quadrature finds no border beyond which the density is negligible: the posterior may be improper "
                     "or have very heavy tails; use nuts_pyro")


def borders(found: State, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """On which sides, (D,) each, something is left beyond the border."""
    near = found.log_p > found.log_p.max() - DEEP
    u, h = found.u[near], found.width / 2
    return (u < left + h).any(0), (u > right - h).any(0)


def grid(model: Program, data: Data, low: Tensor, high: Tensor, n: int) -> State:
    axes = [torch.linspace(float(a), float(b), n, dtype=torch.float64) for a, b in zip(low, high, strict=True)]
    u, width = torch.cartesian_prod(*axes).reshape(-1, len(axes)), (high - low) / (n - 1)
    parts = [density.at(model, data, u, one(states.at(model, torch.tensor([k])))) for k in range(states.count(model))]
    log_p = torch.cat(parts).nan_to_num(nan=-math.inf, posinf=-math.inf) + float(width.log().sum())
    return State(u.repeat(len(parts), 1), torch.arange(len(parts)).repeat_interleave(len(u)), log_p, width, data)


def lighter(state: State) -> State:
    """Without the points that do not count, which are most of them: every draw goes through the rest."""
    kept = state.log_p.softmax(0) > NEGLIGIBLE
    return State(state.u[kept], state.number[kept], state.log_p[kept], state.width, state.data)


def one(values: Latents) -> Latents:
    return {name: x[0] for name, x in values.items()}


def draw(rng: torch.Generator, state: State, model: Program) -> Latents:
    """A point by its probability, and uniformly within its cell."""
    model = easier(model)
    chosen = torch.multinomial(state.log_p.softmax(0), 1, generator=rng)
    jitter = torch.rand(len(state.width), generator=rng, dtype=torch.float64) - 0.5
    latents, _ = model.coordinates.latents(state.u[chosen[0]] + jitter * state.width)
    return completed(rng, model, latents | one(states.at(model, state.number[chosen])), state.data)


def expect(state: State, model: Program) -> Quantities:
    """Means and standard deviations; not of deterministic sites beside sites that are summed out, which may depend on
    them."""
    p, model = state.log_p.softmax(0), easier(model)
    latents = density.latents_at(model, state.u) | states.at(model, state.number)
    found = weighted(p, model.quantities(latents))
    if not isinstance(model, Summed):
        return found
    first, second = (weighted(p, model.mean(latents, state.data, power)) for power in (1, 2))
    return found | {name: first[name] for name in model.whole.known.discrete} | {
        sd_of(name): (second[name] - first[name] ** 2).clamp(min=0).sqrt() for name in model.whole.known.discrete}
