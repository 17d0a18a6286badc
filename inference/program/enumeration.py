"""Exact: the log joint of every value that the discrete sites can have, where they are few enough to list.

    p(z | data) = p(z, data) / sum_z' p(z', data)

For programs without continuous sites. Cost: the number of values times the log joint.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from errors import InputError
from inference.method import Family, Info, Kind, Latents, Quantities
from inference.program.parts import states
from inference.program.parts.moments import weighted
from models.model import Data
from models.program import Program

FAMILY = Family.EXACT
LARGEST = 2**20  # values


@dataclass(frozen=True)
class State:
    """log p(z, data) of every value, (S,), once the step is done."""

    log_p: Tensor


def init(rng: torch.Generator, model: Program, data: Data) -> State:
    """Errors: InputError for continuous sites, for values without end, and for too many."""
    if model.known.continuous:
        raise InputError(f"enumeration is for discrete sites, and {next(iter(model.known.continuous))} is continuous: "
                         f"use quadrature, if the continuous numbers are three at most, or nuts_pyro, which sums the "
                         f"discrete ones out")
    states.check(model, "enumeration", LARGEST)
    return State(torch.zeros(0, dtype=torch.float64))


def step(rng: torch.Generator, state: State, model: Program, data: Data) -> tuple[State, Info]:
    log_p = model.log_joint(states.listed(model), data)
    evidence = float(log_p.logsumexp(0))
    if not math.isfinite(evidence):
        raise InputError("no value of the discrete sites is possible given the data: look at the data and the "
                         "supports of the observed sites")
    return State(log_p), Info(log_evidence=evidence, kind=Kind.EXACT)


def draw(rng: torch.Generator, state: State, model: Program) -> Latents:
    chosen = torch.multinomial(state.log_p.softmax(0), 1, generator=rng)
    return {name: x[0] for name, x in states.at(model, chosen).items()}


def expect(state: State, model: Program) -> Quantities:
    """Means and standard deviations."""
    return weighted(state.log_p.softmax(0), model.quantities(states.listed(model)))
