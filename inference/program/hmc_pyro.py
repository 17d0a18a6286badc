"""Hamiltonian Monte Carlo of Pyro: a path of a fixed length, accepted or not.

Duane et al. (1987); Neal (2011). Step size and mass matrix are adapted in the first `warmup` steps, which are no
draws. A chain begins where a climb passes (Pathfinder). Discrete sites are summed out, and drawn given the others
(`models/summed.py`). Cost of a step: the path's length over the step size gradients of the log joint.

Options:

    warmup          steps in which the step size and the mass matrix are adapted; they are no draws
    path            its length, the mass matrix being adapted to the posterior: about 1.5 is a quarter of its way round
    target_accept   mean acceptance that the step size is adapted to, between 0 and 1
    dense           a mass matrix with correlations, of D numbers D^2; by default for up to 60 numbers
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from pyro.infer import HMC

from errors import InputError
from inference.method import Family, Info, Latents
from inference.program.parts import adapted, moved
from inference.program.parts.adapted import AdaptedHMC
from inference.program.parts.moved import State, draw
from models.model import Data
from models.program import Program

FAMILY = Family.MCMC

__all__ = ["FAMILY", "State", "draw", "init", "start", "step"]


def init(rng: torch.Generator, model: Program, data: Data, *, warmup: int = 300, path: float = 1.5,
         target_accept: float = 0.8, dense: bool | None = None) -> State:
    return start(rng, model, data, None, warmup=warmup, path=path, target_accept=target_accept,
                 dense=dense)


def start(rng: torch.Generator, model: Program, data: Data, latents: Latents | None, *, warmup: int = 0,
          path: float = 1.5, target_accept: float = 0.8, dense: bool | None = None) -> State:
    if not 0 < path < float("inf"):
        raise InputError(f"path must be a positive number, not {path}")
    if not 0 < target_accept < 1:
        raise InputError(f"target_accept must lie between 0 and 1, not {target_accept}")
    options: dict[str, Any] = {"path": path, "target_accept": target_accept, "dense": dense}
    make = kernel(model, data, climbs=latents is None, **options)
    return moved.begin(rng, model, data, make, warmup, latents, "hmc_pyro", options)


def step(rng: torch.Generator, state: State, model: Program, data: Data) -> tuple[State, Info]:
    return moved.advance(rng, state, model, data, kernel(model, data, **state.options))


def kernel(model: Program, data: Data, *, path: float, target_accept: float, dense: bool | None, climbs: bool = False
           ) -> Callable[[Program], HMC]:
    """climbs   to where it begins"""
    return lambda program: AdaptedHMC(
        program, trajectory_length=path, target_accept_prob=target_accept,
        full_mass=adapted.dense(program, dense)).about(program, data is model.data, climbs)
