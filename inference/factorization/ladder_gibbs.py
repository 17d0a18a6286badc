"""Gibbs sampling with learned noise, learned priors and biases, whichever the model has; `row_gibbs` where none.

A sweep draws, each from its exact conditional: the noise variance, the mean and precision of the rows of each side,
then all users (with their biases) given the items, then all items given the users.

    sigma^2 | rest         InverseGamma(3 + N/2, 2 + 1/2 sum_n (r_n - prediction_n)^2)
    precision | rows       Wishart(D + n, (I + S + 2 n / (2 + n) m m')^-1),    m, S the rows' mean and scatter
    mean | precision, rows N(n m / (2 + n), ((2 + n) precision)^-1)            (n rows; Salakhutdinov and Mnih 2008)
    B | rest               (F'F + ridge I)^-1 [F'(rows - mean + E) + ridge^1/2 E'],   rows of E, E' ~ N(0, precision^-1)
    ridge | rest           Gamma(2 + features D / 2, 1 + tr(B precision B') / 2)
    (u_i, b_i) | rest      as `row_conditional`, with regressors (v_j, 1) and the ratings less c_j

With features (B, ridge) rows and their means are less F B, the Wishart has features more degrees of freedom and
I + ridge B'B + ...

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
from inference.factorization.parts.predict import predict
from inference.factorization.parts.row_conditional import Prior
from inference.factorization.parts.row_conditional import draw as draw_rows
from inference.method import Family, Info, Latents
from models.densities import gamma, gaussian_draw, wishart_draw
from models.factorization import Factorization
from models.features import RIDGE_RATE, RIDGE_SHAPE, Featured
from models.ladder import SCALE, SHAPE, STRENGTH, Ladder
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


def start(rng: torch.Generator, model: Factorization, data: Ratings, latents: Latents, *,
          engine: Engine = "auto") -> State:
    sides(model, data)
    return State(dict(latents), choose("ladder_gibbs", engine, torch.device(model.device)))


def step(rng: torch.Generator, state: State, model: Factorization, data: Ratings) -> tuple[State, Info]:
    latents = dict(state.latents)
    if isinstance(model, Ladder):
        if model.noise:
            latents |= noise(rng, model, latents, data, state.engine)
        if model.hierarchical:
            latents |= normal_wishart(rng, model, latents)
    z_U, z_V = normals(rng, model.num_users, model.width), normals(rng, model.num_items, model.width)
    return State(rows(model, latents, data, z_U, z_V, state.engine), state.engine), Info()


def draw(rng: torch.Generator, state: State, model: Factorization) -> Latents:
    return state.latents


def rows(model: Factorization, latents: Latents, data: Ratings, z_U: Tensor, z_V: Tensor, engine: str) -> Latents:
    """All users given the items, then all items given the new users, from N(0, 1) noise (rows, D)."""
    latents = dict(latents)
    variance = float(model.noise_of(latents))
    for side, other, ratings, z in zip("UV", "VU", sides(model, data), (z_U, z_V), strict=True):
        table, offset = model.regressors(model.rows(latents, other))
        drawn = draw_rows(ratings, table, row_prior(model, latents, side), variance, z, column_offset=offset,
                          engine=engine)
        latents |= model.from_rows(drawn, side)
    return latents


def row_means(model: Factorization, latents: Latents, side: str) -> Tensor | None:
    """What features say of each row, (rows, D); None where there are none."""
    return model.known(side) @ latents[f"weights_{side}"] if isinstance(model, Featured) else None


def row_prior(model: Factorization, latents: Latents, side: str) -> Prior:
    """N(mean, precision^-1) of a side's rows; with features each has a mean of its own."""
    if isinstance(model, Ladder) and model.hierarchical:
        mean, own = latents[f"mean_{side}"], row_means(model, latents, side)
        return Prior(mean if own is None else mean + own, latents[f"precision_{side}"])
    return Prior.of(model)


def noise(rng: torch.Generator, model: Ladder, latents: Latents, data: Ratings, engine: str) -> Latents:
    """The noise variance, (), in squared standard units."""
    error = (data.rating - predict(*model.product(latents), data.user, data.item, engine)) / model.unit
    shape = torch.tensor(SHAPE + len(data) / 2, dtype=torch.float64, device=error.device)
    return {"sigma2": (SCALE + 0.5 * (error @ error)) / gamma(rng, shape)}


def normal_wishart(rng: torch.Generator, model: Ladder, latents: Latents) -> Latents:
    """Mean and precision of the rows of both sides."""
    found: Latents = {}
    for side in "UV":
        X = model.rows(latents, side)
        n, D = X.shape
        if (own := row_means(model, latents, side)) is not None:
            X = X - own
        eye = torch.eye(D, dtype=X.dtype, device=X.device)
        m = X.mean(0)
        scatter = (X - m).mT @ (X - m)
        inverse_scale = eye + scatter + STRENGTH * n / (STRENGTH + n) * torch.outer(m, m)
        df = float(D + n)
        if isinstance(model, Featured):
            B = latents[f"weights_{side}"]
            inverse_scale, df = inverse_scale + latents[f"ridge_{side}"] * B.mT @ B, df + len(B)
        # by Cholesky: an inverse by LU is not positive definite where the rows' scatter is near 1e12, as it can be
        scale = torch.cholesky_inverse(torch.linalg.cholesky(inverse_scale))
        precision = wishart_draw(rng, df, scale)
        z = torch.randn(D, generator=rng, dtype=X.dtype, device=X.device)
        found[f"precision_{side}"] = precision
        found[f"mean_{side}"] = gaussian_draw(z, n * m / (STRENGTH + n), (STRENGTH + n) * precision)
        if isinstance(model, Featured):
            found |= weights(rng, model, latents | found, side)
    return found


def weights(rng: torch.Generator, model: Featured, latents: Latents, side: str) -> Latents:
    """B, (features, D), by a ridge regression of perturbed rows, a draw from its conditional; then ridge, ()."""
    ridge, precision = latents[f"ridge_{side}"], latents[f"precision_{side}"]
    F, B, root = model.known(side), latents[f"weights_{side}"], torch.linalg.cholesky(precision)

    def around(like: Tensor) -> Tensor:
        z = torch.randn(like.shape, generator=rng, dtype=like.dtype, device=like.device)
        return torch.linalg.solve_triangular(root.mT, z.mT, upper=True).mT

    rows = model.rows(latents, side) - latents[f"mean_{side}"]
    B = model.solve(side, F.mT @ (rows + around(rows)) + ridge.sqrt() * around(B), ridge)
    rate = RIDGE_RATE + 0.5 * ((B @ precision) * B).sum()
    return {f"weights_{side}": B, f"ridge_{side}": gamma(rng, rate.new_tensor(RIDGE_SHAPE + B.numel() / 2)) / rate}
