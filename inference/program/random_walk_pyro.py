"""Random-walk Metropolis of Pyro: all sites at once move by a normal step, accepted by the log joint; no gradients.

Metropolis et al. (1953). The width of the step is adapted in the first `warmup` steps, which are no draws. Discrete
sites are summed out, and drawn given the others (`models/summed.py`). Cost of a step: the log joint once. It mixes
slowly: in D dimensions a few draws in 10 D are worth one.

Options:

    warmup          steps in which the width is adapted; they are no draws
    width           of the first step, without constraints
    target_accept   mean acceptance that the width is adapted to, between 0 and 1
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from pyro.infer import RandomWalkKernel

from errors import InputError
from inference.method import Family, Info, Latents
from inference.program.parts import moved
from inference.program.parts.moved import State, draw
from models.model import Data
from models.program import Program

FAMILY = Family.MCMC

__all__ = ["FAMILY", "State", "draw", "init", "start", "step"]


def init(rng: torch.Generator, model: Program, data: Data, *, warmup: int = 300, width: float = 0.1,
         target_accept: float = 0.234) -> State:
    """Pyro's start: uniform in (-2, 2) without constraints."""
    return start(rng, model, data, None, warmup=warmup, width=width, target_accept=target_accept)


def start(rng: torch.Generator, model: Program, data: Data, latents: Latents | None, *, warmup: int = 0,
          width: float = 0.1, target_accept: float = 0.234) -> State:
    if not 0 < width < float("inf"):
        raise InputError(f"width must be a positive number, not {width}")
    if not 0 < target_accept < 1:
        raise InputError(f"target_accept must lie between 0 and 1, not {target_accept}")
    return moved.begin(rng, model, data, kernel(width, target_accept), warmup, latents, "random_walk_pyro")


def step(rng: torch.Generator, state: State, model: Program, data: Data) -> tuple[State, Info]:
    return moved.advance(rng, state, model, data, kernel())


def kernel(width: float = 0.1, target_accept: float = 0.234) -> Callable[[Program], RandomWalkKernel]:
    return lambda model: RandomWalkKernel(model.program, init_step_size=width, target_accept_prob=target_accept)
