"""Maximum likelihood by alternating least squares or stochastic gradients; MAP is the same with the priors.

    objective(U, V) = sum_n log N(r_n | u_i . v_j, sigma^2)      (+ log p(U) + log p(V) with `map`),    in nats

als   every user's best u_i given V, then every item's given U: the means of `row_conditional`, without a prior
          u_i = (V_i'V_i)^-1 V_i'R_i    of least norm where a user has fewer than K ratings (such a user's
      ratings are then met exactly: that is maximum likelihood, and why it overfits).
      Without a prior ALS creeps for hundreds of sweeps from one poor fit to the next, so it starts with the
      model's and halves its precision every sweep, down to none. Then, and always for MAP, the objective never falls.
sgd   one pass over the ratings in random minibatches, the assignment's baseline:
          u_i += rate sum_n (r_n - u_i . v_j) v_j / sigma^2,     rate = lr / (1 + passes / 20)
      and v_j alike; with `map` every rating carries its share of its rows' priors, -u_i / (prior_variance n_i).

With biases (als only) a row is (u_i, b_i), its regressors are (v_j, 1) and its ratings r_ij - c_j.

Cost of a step: als N K^2 + (users + items) K^3, sgd N K.

Options:

    algorithm    alternating least squares, or stochastic gradients
    map          whether the log priors count too: the maximum a posteriori
    lr           learning rate of sgd; by default a tenth of the rate at which it begins to overshoot
    batch_size   ratings in a minibatch of sgd; by default 32, or all there are
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from errors import InputError, unknown
from inference.engine import Engine, choose
from inference.factorization.parts.by_row import Rows, sides
from inference.factorization.parts.divided import refuse
from inference.factorization.parts.predict import predict
from inference.factorization.parts.row_conditional import Prior
from inference.factorization.parts.row_conditional import draw as draw_rows
from inference.factorization.parts.spectral_start import spectral_start
from inference.factorization.parts.stochastic import check_rate
from inference.method import Family, Info, Latents
from models.densities import log_normal
from models.factorization import Factorization
from models.ratings import Ratings

FAMILY = Family.POINT
USERS = ("U",)
RELEASED = 40  # sweeps until ALS without a prior has none
JITTER = 1e-10  # of the trace: then least squares, to as many digits, of least norm
BATCH = 32  # ratings in a minibatch of sgd
SLOWDOWN = 20  # passes after which the rate is halved


@dataclass(frozen=True)
class State:
    """The point, and how it moves."""

    U: Float64[Tensor, "users D"]  # D = K, or with biases K + 1
    V: Float64[Tensor, "items D"]
    objective: float | None  # nats
    sweeps: int
    algorithm: str
    map: bool
    lr: float
    batch_size: int
    engine: str


def init(rng: torch.Generator, model: Factorization, data: Ratings, *, algorithm: Literal["als", "sgd"] = "als",
         map: bool = False, lr: float | None = None, batch_size: int | None = None, engine: Engine = "auto") -> State:
    """`spectral_start`; rows without ratings at 0, where least norm and the prior want them.

    lr and batch_size are of sgd; for the default lr see `steady_rate`.
    """
    if algorithm not in ("als", "sgd"):
        raise unknown("algorithm of maximum_likelihood", algorithm, ("als", "sgd"))
    if algorithm == "sgd" and "user_bias" in model.sites:
        raise InputError("maximum_likelihood by sgd is for the model without biases: take algorithm=als")
    if algorithm == "sgd":
        refuse(model, "maximum_likelihood by sgd")
    if data.total == 0:
        raise InputError("there are no ratings to fit: the training set is empty")
    batch_size = data.check_batch(min(BATCH, data.total) if batch_size is None else batch_size)
    users, items = sides(model, data)
    start = spectral_start(rng, model, data)
    U, V = (model.rows(start, side) * (rows.in_all > 0)[:, None] for side, rows in (("U", users), ("V", items)))
    if lr is None:
        lr = steady_rate(model, data, U, V, batch_size) if algorithm == "sgd" else 1.0  # of no use to als
    lr = check_rate(lr)
    return State(U, V, None, 0, algorithm, map, lr, batch_size,
                 choose("maximum_likelihood", engine, torch.device(model.device)))


def steady_rate(model: Factorization, data: Ratings, U: Tensor, V: Tensor, batch_size: int) -> float:
    """A tenth of the learning rate at which sgd begins to overshoot, for rows of the size they have at the start.

    The c ratings of item j in a batch move v_j by rate sum_n error_n u_i / sigma^2, and with it their own
    predictions by rate c |u|^2 / sigma^2 of the error: too far beyond 2. Likewise for users.
    """
    stiffest = 0.0
    for other, index in ((U, data.item), (V, data.user)):
        together = max(1.0, batch_size * float(torch.bincount(index).max()) / len(data))
        stiffest = max(stiffest, together * float(other[other.abs().sum(1) > 0].square().sum(1).mean()))
    return 0.2 * model.noise_variance / stiffest


def step(rng: torch.Generator, state: State, model: Factorization, data: Ratings) -> tuple[State, Info]:
    """One sweep or pass. The residual is the change of the objective, in nats a rating."""
    move = als if state.algorithm == "als" else sgd
    U, V = move(rng, state, model, data)
    value = objective(model, data, U, V, state.map, state.engine)
    if not math.isfinite(value):
        raise InputError(f"maximum_likelihood by {state.algorithm} diverged in sweep {state.sweeps + 1}: "
                         f"try a learning rate (lr) below {state.lr:.2g}, or smaller batches than {state.batch_size}")
    change = None if state.objective is None else abs(value - state.objective) / data.total
    return replace(state, U=U, V=V, objective=value, sweeps=state.sweeps + 1), Info(objective=value, residual=change)


def draw(rng: torch.Generator, state: State, model: Factorization) -> Latents:
    """The point."""
    return model.from_rows(state.U, "U") | model.from_rows(state.V, "V")


def objective(model: Factorization, data: Ratings, U: Tensor, V: Tensor, map: bool, engine: str = "auto") -> float:
    """log p(r | U, V), or with `map` log p(U, V, r), in nats with every constant."""
    users, items = model.product(model.from_rows(U, "U") | model.from_rows(V, "V"))
    error = data.rating - predict(users, items, data.user, data.item, engine)
    noise = model.noise_variance
    value = -0.5 * (float(data.part.sum(error @ error)) / noise + data.total * math.log(2 * math.pi * noise))
    if not map:
        return value
    prior_U, prior_V = (log_normal(x, 0.0, model.prior_variance).sum() for x in (U, V))
    return value + (float(model.part.sum(prior_U)) + float(prior_V))


def als(rng: torch.Generator, state: State, model: Factorization, data: Ratings) -> tuple[Tensor, Tensor]:
    """The best U given V, then the best V given the new U."""
    prior, jitter = Prior.of(model), 0.0
    if not state.map:
        share = 0.5**state.sweeps if state.sweeps < RELEASED else 0.0
        prior, jitter = Prior(prior.mean, share * prior.precision), JITTER
    users, items = sides(model, data)

    def best(rows: Rows, other: Tensor) -> Tensor:
        other, offset = model.regressors(other)
        return draw_rows(rows, other, prior, model.noise_variance, column_offset=offset, jitter=jitter,
                         engine=state.engine)

    U = best(users, state.V)
    return U, best(items, U)


def sgd(rng: torch.Generator, state: State, model: Factorization, data: Ratings) -> tuple[Tensor, Tensor]:
    """U and V after one pass over minibatches in random order."""
    order = torch.randperm(len(data), generator=rng, device=data.device)
    rate, U, V = state.lr / (1 + state.sweeps / SLOWDOWN), state.U.clone(), state.V.clone()
    # What a rating owes to the prior of its user and of its item, per unit of u and v.
    pull_U, pull_V = (state.map / (model.prior_variance * side.counts.clamp(min=1).to(U.dtype))
                      for side in sides(model, data))
    if state.engine == "compiled":
        from inference.factorization.compiled import sgd as sgd_numba

        sgd_numba.climb(order.numpy(), data.user.numpy(), data.item.numpy(), data.rating.numpy(), U.numpy(), V.numpy(),
                        pull_U.numpy(), pull_V.numpy(), rate, 1 / model.noise_variance, state.batch_size)
        return U, V
    for batch in order.split(state.batch_size):
        i, j = data.user[batch], data.item[batch]
        u, v = U[i], V[j]
        error = (data.rating[batch] - (u * v).sum(1))[:, None] / model.noise_variance
        U.index_add_(0, i, rate * (error * v - pull_U[i, None] * u))
        V.index_add_(0, j, rate * (error * u - pull_V[j, None] * v))
    return U, V
