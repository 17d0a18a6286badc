"""Coordinate ascent: the best mean-field q in closed form, all users at once, then all items.

    q(U, V) = prod_i N(u_i | m_i, S_i)  prod_j N(v_j | m_j, S_j)

With the items' moments fixed the ELBO is, in each user's q, the negative KL to a Gaussian (`row_conditional`):

    P_i = I / prior_variance + 1/sigma^2 sum_j (m_j m_j' + S_j),      m_i = P_i^-1 1/sigma^2 sum_j m_j r_ij
    S_i = P_i^-1                (covariance = "row")
    S_i = diag(1 / (P_i)_kk)    (covariance = "entry": the guide of Problem 2, every entry by itself)

With biases a row is (u_i, b_i), its regressors are (v_j, 1) and its ratings r_ij - E c_j; entries by themselves only.

Each update is the exact maximum over what it changes, so the ELBO never falls, and it comes exactly with the
items' update. Cost of a step: N K^2 + (users + items) K^3.

Options:

    covariance   of q: every entry by itself, or a covariance for each row
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from errors import InputError, unknown
from inference.engine import Engine, choose
from inference.factorization.compiled.normals import normals
from inference.factorization.parts.by_row import Rows, sides
from inference.factorization.parts.gaussian import expected
from inference.factorization.parts.row_conditional import Posterior, Prior, posterior, sample
from inference.factorization.parts.spectral_start import spectral_start
from inference.footprint import AT_WORK, latents, tensors
from inference.method import Family, Info, Kind, Latents, Quantities
from models.factorization import Factorization
from models.ratings import Ratings
from ranks.part import WHOLE

FAMILY = Family.VARIATIONAL
USERS = ("mean_U", "spread_U")
START = 1e-3  # variance of every entry before the first step, in rating units: next to a point


@dataclass(frozen=True)
class State:
    """Means and spreads of q: variances, or covariances of whole rows. D = K, or with biases K + 1."""

    mean_U: Float64[Tensor, "users D"]
    spread_U: Float64[Tensor, "users D *D"]
    mean_V: Float64[Tensor, "items D"]
    spread_V: Float64[Tensor, "items D *D"]
    elbo: float | None
    engine: str


def footprint(model: Factorization, data: Ratings, *, covariance: str = "entry", **_: object) -> int:
    """A chain at work, bytes: with covariance=row a K x K table for every user and item, a few times over."""
    own = latents(model) * (model.rank if covariance == "row" else 1)
    return AT_WORK * (own + tensors(data))


def init(rng: torch.Generator, model: Factorization, data: Ratings, *, covariance: Literal["entry", "row"] = "entry",
         engine: Engine = "auto") -> State:
    """The means of `spectral_start`, away from the saddle where they are all 0."""
    if covariance not in ("entry", "row"):
        raise unknown("covariance of coordinate_ascent", covariance, ("entry", "row"))
    if covariance == "row" and biased(model):
        raise InputError("coordinate_ascent has covariance=row for the model without biases only: with them an item's "
                         "update needs more of q than a covariance a row; take covariance=entry")
    sides(model, data)
    start = spectral_start(rng, model, data)
    mean = {side: model.rows(start, side) for side in "UV"}
    spread = {side: torch.full_like(rows, START) for side, rows in mean.items()}
    if covariance == "row":
        spread = {side: torch.diag_embed(variance) for side, variance in spread.items()}
    return State(mean["U"], spread["U"], mean["V"], spread["V"], None,
                 choose("coordinate_ascent", engine, torch.device(model.device)))


def step(rng: torch.Generator, state: State, model: Factorization, data: Ratings) -> tuple[State, Info]:
    """U given V, then V given U. The residual is what the step added to the ELBO, in nats a rating."""
    users, items = sides(model, data)
    U = update(users, model, state.mean_V, state.spread_V, state.engine)
    V = update(items, model, U.mean, U.spread, state.engine)
    value = elbo(model, data, U, V)
    gain = None if state.elbo is None else max(0.0, value - state.elbo) / max(1, data.total)
    new = State(U.mean, U.spread, V.mean, V.spread, value, state.engine)
    return new, Info(log_evidence=value, kind=Kind.LOWER, elbo=value, residual=gain)


def update(rows: Rows, model: Factorization, mean: Tensor, spread: Tensor, engine: str) -> Posterior:
    """The best q of one side, given the moments of the other."""
    shape: Literal["entry", "row"] = "entry" if spread.ndim == 2 else "row"
    mean, offset = model.regressors(mean)
    if offset is not None:
        spread = torch.cat([spread[:, :-1], torch.zeros_like(spread[:, :1])], 1)
    return posterior(rows, mean, Prior.of(model), model.noise_variance, spread, shape, column_offset=offset,
                     engine=engine)


def biased(model: Factorization) -> bool:
    return "user_bias" in model.sites


def elbo(model: Factorization, data: Ratings, U: Posterior, V: Posterior) -> float:
    """sum_j bound_j - KL(q(U) || p(U)) - 1/2 sum_n [E r_n^2 / sigma^2 + log(2 pi sigma^2)], V being the best for U;
    r_n less b_i where there are biases.

    `mean_field_elbo.elbo` is the same for any q, by a pass over the ratings.
    """
    s, noise = model.prior_variance, model.noise_variance
    variance = U.spread if U.spread.ndim == 2 else U.spread.diagonal(dim1=1, dim2=2)
    divergence = model.part.sum(0.5 * ((variance.sum() + U.mean.square().sum()) / s - U.log_det.sum()
                                       + U.mean.numel() * (math.log(s) - 1)))
    rating, spread = data.rating, 0.0
    if biased(model):
        rating = rating - U.mean[:, -1].index_select(0, data.user)
        spread = float(U.spread[:, -1].index_select(0, data.user).sum())
    square = float(data.part.sum(rating @ rating + spread))
    constant = 0.5 * (square / noise + data.total * math.log(2 * math.pi * noise))
    return float(bound(V, Prior.of(model)).sum() - divergence) - constant


def bound(posterior: Posterior, prior: Prior) -> Float64[Tensor, "rows"]:
    """bound_j, the part of the ELBO that the best q of row j decides, in nats:

        1/2 mu_j' Sigma_j^-1 mu_j + 1/2 log |S_j| + 1/2 log |Lambda| - 1/2 mu' Lambda mu

    With covariances it is the log of the integral of N(v | mu, Lambda^-1) exp(the likelihood's terms in v).
    """
    normalizer = 0.5 * (torch.logdet(prior.precision) - prior.mean @ prior.shift)
    return posterior.fit + 0.5 * posterior.log_det + normalizer


def draw(rng: torch.Generator, state: State, model: Factorization) -> Latents:
    """U and V, and biases, from q."""
    drawn: Latents = {}
    for side, mean, spread, part in (("U", state.mean_U, state.spread_U, model.part),
                                     ("V", state.mean_V, state.spread_V, WHOLE)):
        z = normals(rng, *mean.shape, part=part)
        drawn |= model.from_rows(sample(mean, spread, z, engine=state.engine), side)
    return drawn


def expect(state: State, model: Factorization) -> Quantities:
    """Means and variances of every entry, and of the predictions at the model's pairs."""
    if not biased(model):
        return expected(model, {"U": (state.mean_U, state.spread_U), "V": (state.mean_V, state.spread_V)})
    mean, spread = (model.from_rows(U, "U") | model.from_rows(V, "V")
                    for U, V in ((state.mean_U, state.mean_V), (state.spread_U, state.spread_V)))
    return expected(model, {site: (mean[site], spread[site]) for site in mean})
