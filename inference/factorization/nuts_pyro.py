"""The no-U-turn sampler of Pyro on the Pyro program: no conditionals derived, gradients only; for small problems.

Hoffman and Gelman (2014). Step size and a diagonal mass matrix are adapted in the first `warmup` steps, which are no
draws: give the plan at least as much warm-up. Cost of a step: up to 2^max_tree_depth gradients of the log joint.

Options:

    warmup           steps in which the step size and the mass matrix are adapted; they are no draws
    max_tree_depth   a step takes up to 2 to this power gradients
    target_accept    mean acceptance that the step size is adapted to, between 0 and 1
"""

from __future__ import annotations

import torch
from pyro.infer import NUTS

from errors import InputError
from inference.method import Family, Info, Latents
from inference.pyro import from_kernel
from inference.pyro.from_kernel import State, draw
from models.factorization import Factorization
from models.ratings import Ratings

FAMILY = Family.MCMC
LARGEST = 20_000  # latent numbers; above, a step takes minutes

__all__ = ["FAMILY", "State", "draw", "init", "start", "step"]


def init(rng: torch.Generator, model: Factorization, data: Ratings, *, warmup: int = 200, max_tree_depth: int = 8,
         target_accept: float = 0.8) -> State:
    """Pyro's start: uniform in (-2, 2) without constraints."""
    return start(rng, model, data, None, warmup=warmup, max_tree_depth=max_tree_depth, target_accept=target_accept)


def start(rng: torch.Generator, model: Factorization, data: Ratings, latents: Latents | None, *, warmup: int = 0,
          max_tree_depth: int = 8, target_accept: float = 0.8) -> State:
    if max_tree_depth < 1:
        raise InputError(f"max_tree_depth must be at least 1, not {max_tree_depth}")
    if not 0 < target_accept < 1:
        raise InputError(f"target_accept must lie between 0 and 1, not {target_accept}")
    if "precision_U" in model.sites:
        raise InputError("nuts_pyro cannot learn the priors of the rows: Pyro has no transform for a precision "
                         "matrix; use ladder_gibbs, or a model without `hierarchical`")
    size = (model.num_users + model.num_items) * model.rank
    if size > LARGEST:
        raise InputError(f"nuts_pyro is for small problems, up to {LARGEST:,} numbers in U and V, and these are "
                         f"{size:,}: use row_gibbs")

    def kernel(model: Factorization) -> NUTS:
        return NUTS(model.program, max_tree_depth=max_tree_depth, target_accept_prob=target_accept)

    return from_kernel.begin(rng, model, data, kernel, warmup, latents)


def step(rng: torch.Generator, state: State, model: Factorization, data: Ratings) -> tuple[State, Info]:
    return from_kernel.advance(rng, state, model, data, lambda model: NUTS(model.program))
