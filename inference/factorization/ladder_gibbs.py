"""Gibbs sampling with learned noise, learned priors and biases, whichever the model has; `row_gibbs` where none.

A sweep draws, each from its exact conditional (`ladder_conditional`): the noise variance, the mean and precision of
the rows of each side, then all users (with their biases) given the items, then all items given the users.
Cost of a step: N D^2 + (users + items) D^3, D = K or with biases K + 1, and one pass over the ratings for the noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from inference.engine import Engine, choose
from inference.factorization.compiled.normals import normals
from inference.factorization.parts.by_row import sides
from inference.factorization.parts.ladder_conditional import factors, hyper, noise
from inference.method import Family, Info, Latents
from models.factorization import Factorization
from models.ladder import Ladder
from models.ratings import Ratings

FAMILY = Family.MCMC


@dataclass(frozen=True)
class State:
    """The chain's position, by site."""

    latents: dict[str, Float64[Tensor, "..."]]
    engine: str


def init(rng: torch.Generator, model: Factorization, data: Ratings, *, engine: Engine = "auto") -> State:
    """A draw from the prior."""
    return start(rng, model, data, model.prior(rng), engine=engine)


def start(
    rng: torch.Generator, model: Factorization, data: Ratings, latents: Latents, *, engine: Engine = "auto",
) -> State:
    sides(model, data)
    return State(dict(latents), choose("ladder_gibbs", engine, torch.device(model.device)))


def step(rng: torch.Generator, state: State, model: Factorization, data: Ratings) -> tuple[State, Info]:
    latents = dict(state.latents)
    if isinstance(model, Ladder):
        if model.noise:
            latents |= noise(rng, model, latents, data, state.engine)
        if model.hierarchical:
            latents |= hyper(rng, model, latents)
    z_U, z_V = normals(rng, model.num_users, model.width), normals(rng, model.num_items, model.width)
    return State(factors(model, latents, data, z_U, z_V, state.engine), state.engine), Info()


def draw(rng: torch.Generator, state: State, model: Factorization) -> Latents:
    return state.latents

