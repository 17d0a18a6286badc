"""Gibbs sampling, a whole side at a time: every user given the items, then every item given the users.

    u_i | V, r ~ N(mu_i, Sigma_i)    for all i, then    v_j | U, r ~ N(mu_j, Sigma_j)    for all j

with the conditionals of `row_conditional` (checks 3.1 to 3.3). Users do not touch each other given the
items, so a side is one exact draw. Cost of a step: N K^2 + (users + items) K^3.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from inference.engine import Engine, choose
from inference.factorization.compiled.normals import normals
from inference.factorization.parts.by_row import check_plain, sides
from inference.factorization.parts.divided import from_prior
from inference.factorization.parts.row_conditional import Prior
from inference.factorization.parts.row_conditional import draw as draw_rows
from inference.method import Family, Info, Latents
from models.factorization import Factorization
from models.ratings import Ratings

FAMILY = Family.MCMC
USERS = ("U",)
AT_WORK = 4  # times what latents and data take, in memory


@dataclass(frozen=True)
class State:
    """The chain's position."""

    U: Float64[Tensor, "users K"]
    V: Float64[Tensor, "items K"]
    engine: str


def init(rng: torch.Generator, model: Factorization, data: Ratings, *, engine: Engine = "auto") -> State:
    """A draw from the prior; the first step draws U anew."""
    check_plain("row_gibbs", model)
    sides(model, data)
    return State(**from_prior(rng, model), engine=choose("row_gibbs", engine, torch.device(model.device)))


def step(rng: torch.Generator, state: State, model: Factorization, data: Ratings) -> tuple[State, Info]:
    z_U, z_V = normals(rng, *state.U.shape, part=model.part), normals(rng, *state.V.shape)
    return sweep(state, model, data, z_U, z_V), Info()


def sweep(state: State, model: Factorization, data: Ratings, z_U: Tensor, z_V: Tensor) -> State:
    """Both sides once, from N(0, 1) noise of their shapes: U given V, then V given the new U."""
    users, items = sides(model, data)
    prior = Prior.of(model)
    U = draw_rows(users, state.V, prior, model.noise_variance, z_U, engine=state.engine)
    V = draw_rows(items, U, prior, model.noise_variance, z_V, engine=state.engine)
    return State(U, V, state.engine)


def draw(rng: torch.Generator, state: State, model: Factorization) -> Latents:
    return {"U": state.U, "V": state.V}
