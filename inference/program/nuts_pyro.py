"""The no-U-turn sampler of Pyro: gradients of the log joint, paths as long as they are of use.

Hoffman and Gelman (2014). Step size and mass matrix are adapted in the first `warmup` steps, which are no draws. Cost
of a step: up to 2^max_tree_depth gradients.

Options:

    warmup           steps in which the step size and the mass matrix are adapted; they are no draws
    max_tree_depth   a step takes up to 2 to this power gradients
    target_accept    mean acceptance that the step size is adapted to, between 0 and 1
    dense            a mass matrix with correlations, for D sites D^2 numbers
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from pyro.infer import NUTS

from errors import InputError
from inference.method import Family, Info, Latents
from inference.program.parts import moved
from inference.program.parts.moved import State, draw
from models.model import Data
from models.program import Program

FAMILY = Family.MCMC

__all__ = ["FAMILY", "State", "draw", "init", "start", "step"]


def init(rng: torch.Generator, model: Program, data: Data, *, warmup: int = 300, max_tree_depth: int = 10,
         target_accept: float = 0.8, dense: bool = False) -> State:
    """Pyro's start: uniform in (-2, 2) without constraints."""
    return start(rng, model, data, None, warmup=warmup, max_tree_depth=max_tree_depth, target_accept=target_accept,
                 dense=dense)


def start(rng: torch.Generator, model: Program, data: Data, latents: Latents | None, *, warmup: int = 0,
          max_tree_depth: int = 10, target_accept: float = 0.8, dense: bool = False) -> State:
    if max_tree_depth < 1:
        raise InputError(f"max_tree_depth must be at least 1, not {max_tree_depth}")
    if not 0 < target_accept < 1:
        raise InputError(f"target_accept must lie between 0 and 1, not {target_accept}")
    return moved.begin(rng, model, data, kernel(max_tree_depth, target_accept, dense), warmup, latents, "nuts_pyro")


def step(rng: torch.Generator, state: State, model: Program, data: Data) -> tuple[State, Info]:
    return moved.advance(rng, state, model, data, kernel())


def kernel(max_tree_depth: int = 10, target_accept: float = 0.8, dense: bool = False) -> Callable[[Program], NUTS]:
    return lambda model: NUTS(model.program, max_tree_depth=max_tree_depth, target_accept_prob=target_accept,
                              full_mass=dense)
