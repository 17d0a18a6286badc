"""The no-U-turn sampler of Pyro: gradients of the log joint, paths as long as they are of use.

Hoffman and Gelman (2014). A chain begins where a climb passes through the bulk of the posterior (Pathfinder). Step size
and mass matrix are adapted in the first `warmup` steps, which are no draws. Discrete sites are summed out, and drawn
given the others (`models/summed.py`). Cost of a step: up to 2^max_tree_depth gradients.

Options:

    warmup           steps in which the step size and the mass matrix are adapted; they are no draws
    max_tree_depth   a step takes up to 2 to this power gradients
    target_accept    mean acceptance that the step size is adapted to, between 0 and 1
    dense            a mass matrix with correlations, of D numbers D^2; by default for up to 60 numbers
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from pyro.infer import NUTS

from errors import InputError
from inference.method import Family, Info, Latents
from inference.program.parts import adapted, moved
from inference.program.parts.adapted import AdaptedNUTS
from inference.program.parts.moved import State, draw
from models.model import Data
from models.program import Program

FAMILY = Family.MCMC

__all__ = ["FAMILY", "State", "draw", "init", "start", "step"]


def init(rng: torch.Generator, model: Program, data: Data, *, warmup: int = 300, max_tree_depth: int = 10,
         target_accept: float = 0.8, dense: bool | None = None) -> State:
    return start(rng, model, data, None, warmup=warmup, max_tree_depth=max_tree_depth, target_accept=target_accept,
                 dense=dense)


def start(rng: torch.Generator, model: Program, data: Data, latents: Latents | None, *, warmup: int = 0,
          max_tree_depth: int = 10, target_accept: float = 0.8, dense: bool | None = None) -> State:
    if max_tree_depth < 1:
        raise InputError(f"max_tree_depth must be at least 1, not {max_tree_depth}")
    if not 0 < target_accept < 1:
        raise InputError(f"target_accept must lie between 0 and 1, not {target_accept}")
    options: dict[str, Any] = {"max_tree_depth": max_tree_depth, "target_accept": target_accept, "dense": dense}
    make = kernel(model, data, climbs=latents is None, **options)
    return moved.begin(rng, model, data, make, warmup, latents, "nuts_pyro", options)


def step(rng: torch.Generator, state: State, model: Program, data: Data) -> tuple[State, Info]:
    return moved.advance(rng, state, model, data, kernel(model, data, **state.options))


def kernel(model: Program, data: Data, *, max_tree_depth: int, target_accept: float, dense: bool | None,
           climbs: bool = False) -> Callable[[Program], NUTS]:
    """climbs   to where it begins"""
    return lambda program: AdaptedNUTS(
        program, max_tree_depth=max_tree_depth, target_accept_prob=target_accept,
        full_mass=adapted.dense(program, dense)).about(program, data is model.data, climbs)
