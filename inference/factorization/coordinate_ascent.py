"""Coordinate ascent: the best mean-field q in closed form, all users at once, then all items.

    q(U, V) = prod_i N(u_i | m_i, S_i)  prod_j N(v_j | m_j, S_j)

With the items' moments fixed the ELBO is, in each user's q, the negative KL to a Gaussian (`row_conditional`):

    P_i = I / prior_variance + 1/sigma^2 sum_j (m_j m_j' + S_j),      m_i = P_i^-1 1/sigma^2 sum_j m_j r_ij
    S_i = P_i^-1                (covariance = "row")
    S_i = diag(1 / (P_i)_kk)    (covariance = "entry": the guide of Problem 2, every entry by itself)

Each update is the exact maximum over what it changes, so the ELBO never falls, and it comes exactly with the
items' update. Cost of a step: N K^2 + (users + items) K^3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from errors import unknown
from inference.engine import Engine, choose
from inference.factorization.by_row import sides
from inference.factorization.gaussian import expected, spectral_start
from inference.factorization.mean_field_elbo import Moments
from inference.factorization.normals_numba import normals
from inference.factorization.row_conditional import Posterior, Prior, posterior, sample
from inference.method import Family, Info, Kind, Latents, Quantities
from models.factorization import Factorization, Ratings

FAMILY = Family.VARIATIONAL
START = 1e-3  # variance of every entry before the first step, in rating units: next to a point


@dataclass(frozen=True)
class State:
    """Means and spreads of q: variances, or covariances of whole rows."""

    mean_U: Float64[Tensor, "users K"]
    spread_U: Float64[Tensor, "users K *K"]
    mean_V: Float64[Tensor, "items K"]
    spread_V: Float64[Tensor, "items K *K"]
    elbo: float | None
    engine: str


def init(
    rng: torch.Generator, model: Factorization, data: Ratings, *,
    covariance: Literal["entry", "row"] = "entry", engine: Engine = "auto",
) -> State:
    """The means of `spectral_start`, away from the saddle where they are all 0."""
    if covariance not in ("entry", "row"):
        raise unknown("covariance of coordinate_ascent", covariance, ("entry", "row"))
    sides(model, data)
    start = spectral_start(rng, model, data)
    spread = {site: torch.full_like(mean, START) for site, mean in start.items()}
    if covariance == "row":
        spread = {site: torch.diag_embed(variance) for site, variance in spread.items()}
    return State(start["U"], spread["U"], start["V"], spread["V"], None,
                 choose("coordinate_ascent", engine, torch.device(model.device)))


def step(rng: torch.Generator, state: State, model: Factorization, data: Ratings) -> tuple[State, Info]:
    """U given V, then V given U. The residual is what the step added to the ELBO, in nats a rating."""
    users, items = sides(model, data)
    prior, noise = Prior.of(model), model.noise_variance
    shape: Literal["entry", "row"] = "entry" if state.spread_V.ndim == 2 else "row"
    U = posterior(users, state.mean_V, prior, noise, state.spread_V, shape, engine=state.engine)
    V = posterior(items, U.mean, prior, noise, U.spread, shape, engine=state.engine)
    bound = _elbo(model, data, prior, U, V)
    gain = None if state.elbo is None else max(0.0, bound - state.elbo) / max(1, len(data))
    new = State(U.mean, U.spread, V.mean, V.spread, bound, state.engine)
    return new, Info(log_evidence=bound, kind=Kind.LOWER, elbo=bound, residual=gain)


def _elbo(model: Factorization, data: Ratings, prior: Prior, U: Posterior, V: Posterior) -> float:
    """sum_j bound_j - KL(q(U) || p(U)) - 1/2 sum_n [r_n^2 / sigma^2 + log(2 pi sigma^2)], V being the best for U.

    `mean_field_elbo.elbo` is the same for any q, by a pass over the ratings.
    """
    s, noise = model.prior_variance, model.noise_variance
    variance = U.spread if U.spread.ndim == 2 else U.spread.diagonal(dim1=1, dim2=2)
    divergence = 0.5 * ((variance.sum() + U.mean.square().sum()) / s - U.log_det.sum()
                        + U.mean.numel() * (math.log(s) - 1))
    constant = 0.5 * (float(data.rating @ data.rating) / noise + len(data) * math.log(2 * math.pi * noise))
    return float(V.bound(prior).sum() - divergence) - constant


def draw(rng: torch.Generator, state: State, model: Factorization) -> Latents:
    """U and V from q."""
    return {site: sample(mean, spread, normals(rng, *mean.shape), engine=state.engine)
            for site, (mean, spread) in _moments(state).items()}


def expect(state: State, model: Factorization) -> Quantities:
    """Means and variances of every entry, and of the predictions at the model's pairs."""
    return expected(model, _moments(state))


def _moments(state: State) -> Moments:
    return {"U": (state.mean_U, state.spread_U), "V": (state.mean_V, state.spread_V)}
