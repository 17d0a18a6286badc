"""Random-walk Metropolis on all of U and V at once: right, and hopeless. The bad example.

    theta' = theta + step_size z,  z ~ N(0, I);      accepted with probability min(1, p(theta', r) / p(theta, r))

In d = (users + items) K dimensions an accepted move must be of size 1 / sqrt(d) of the posterior's width
(Roberts, Gelman and Gilks 1997: an acceptance of 0.234 is best), so forgetting a start takes order d moves.
By default step_size = 2.4 / sqrt(sum of the entries' curvatures), each taken as
1 / prior_variance + (its ratings) prior_variance / noise_variance. Cost of a step: N K for each of its `moves`.
Source: Metropolis et al. (1953).

Options:

    step_size   sd of a proposed move of an entry; by default 2.4 / sqrt(sum of the entries' curvatures)
    moves       proposals in a step
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from errors import InputError
from inference.factorization.parts.by_row import check_plain
from inference.method import Family, Info, Latents
from models.factorization import Factorization
from models.ratings import Ratings

FAMILY = Family.MCMC
BATCHED = True  # any number of replicates as leading axes


@dataclass(frozen=True)
class State:
    """The chain's position."""

    U: Float64[Tensor, "*chains users K"]
    V: Float64[Tensor, "*chains items K"]
    step_size: float  # units of U and V
    moves: int  # proposals in a step


def init(rng: torch.Generator, model: Factorization, data: Ratings, *, step_size: float | None = None,
         moves: int = 10) -> State:
    """A draw from the prior."""
    model.check_data(data)
    return start(rng, model, data, model.prior(rng), step_size=step_size, moves=moves)


def start(rng: torch.Generator, model: Factorization, data: Ratings, latents: Latents, *,
          step_size: float | None = None, moves: int = 10) -> State:
    check_plain("random_walk", model)
    if step_size is None:
        entries = (model.num_users + model.num_items) * model.rank
        step_size = 2.4 / math.sqrt(entries / model.prior_variance
                                    + 2 * len(data) * model.rank * model.prior_variance / model.noise_variance)
    if not 0 < step_size < math.inf:
        raise InputError(f"step_size of random_walk must be a positive finite number, not {step_size}")
    if moves < 1:
        raise InputError(f"moves of random_walk must be at least 1, not {moves}")
    return State(latents["U"], latents["V"], step_size, moves)


def step(rng: torch.Generator, state: State, model: Factorization, data: Ratings) -> tuple[State, Info]:
    latents, accepted = walk(rng, {"U": state.U, "V": state.V}, model, data, state.step_size, state.moves)
    return State(latents["U"], latents["V"], state.step_size, state.moves), Info(accept=accepted)


def draw(rng: torch.Generator, state: State, model: Factorization) -> Latents:
    return {"U": state.U, "V": state.V}


def accept(rng: torch.Generator, gain: Tensor) -> Tensor:
    """Whether a proposal is taken, with probability min(1, exp gain): `gain` in nats of the log joint."""
    return torch.rand(gain.shape, generator=rng, dtype=gain.dtype, device=gain.device).log() < gain


def walk(rng: torch.Generator, latents: Latents, model: Factorization, data: Ratings, step_size: float,
         moves: int) -> tuple[Latents, float]:
    """The latents after `moves` proposals, and the share of them that was accepted."""
    now, accepted = model.log_joint(latents, data), 0.0
    for _ in range(moves):
        new = {site: x + step_size * torch.randn(x.shape, generator=rng, dtype=x.dtype, device=x.device)
               for site, x in latents.items()}
        then = model.log_joint(new, data)
        yes = accept(rng, then - now)
        latents = {site: new[site].where(yes[..., None, None], x) for site, x in latents.items()}
        now = then.where(yes, now)
        accepted += float(yes.double().mean()) / moves
    return latents, accepted
