"""Gibbs sampling with learned noise, learned priors and biases, whichever the model has; `row_gibbs` where none.

A sweep draws, each from its exact conditional: the noise variance, the mean and precision of the rows of each side,
then all users (with their biases) given the items, then all items given the users, then the effects of time.

    sigma^2 | rest         InverseGamma(3 + N/2, 2 + 1/2 sum_n (r_n - prediction_n)^2)
    w_i | rest             Gamma(4 + n_i / 2, 4 sigma^2 + 1/2 sum_n (r_n - prediction_n)^2)           (noise-per-user)
    sigma^2 | w            Gamma(2 + 4 users, 2 + 4 sum_i w_i)                                        (noise-per-user)
    precision | rows       Wishart(D + n, (I + S + 2 n / (2 + n) m m')^-1),    m, S the rows' mean and scatter
    mean | precision, rows N(n m / (2 + n), ((2 + n) precision)^-1)            (n rows; Salakhutdinov and Mnih 2008)
    B | rest               (F'F + ridge I)^-1 [F'(rows - mean + E) + ridge^1/2 E'],   rows of E, E' ~ N(0, precision^-1)
    ridge | rest           Gamma(2 + features D / 2, 1 + tr(B precision B') / 2)
    t, y | rest            cutpoints and latent ratings, see `parts/ordinal.py`; the rest sees y, not r  (ordinal)
    (u_i, b_i) | rest      as `row_conditional`, with regressors (v_j, 1) and the ratings less c_j
    e_c | rest             N(P^-1 sum_n w_n (e_c + r_n - expected_n), P^-1),  P = t + sum_n w_n,  n in cell c     (time)
    t | e                  Gamma(2 + cells / 2, 0.2 + 1/2 sum_c e_c^2),       w_n the precision of rating n       (time)

With features (B, ridge) rows and their means are less F B, the Wishart has features more degrees of freedom and
I + ridge B'B + ...

Cost of a step: N D^2 + (users + items) D^3, D = K or with biases K + 1, and one pass over the ratings for the noise,
one for the effects of time.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from errors import InputError
from inference.engine import Engine, choose
from inference.factorization.compiled.normals import normals
from inference.factorization.parts import ordinal
from inference.factorization.parts import time as of_time
from inference.factorization.parts.by_row import Rows, sides
from inference.factorization.parts.divided import from_prior
from inference.factorization.parts.features import features
from inference.factorization.parts.noise_per_user import precisions, typical
from inference.factorization.parts.predict import predict
from inference.factorization.parts.row_conditional import Prior
from inference.factorization.parts.row_conditional import draw as draw_rows
from inference.method import Family, Info, Latents
from models.densities import gamma, gaussian_draw, wishart_draw
from models.factorization import Factorization
from models.features import RIDGE_RATE, RIDGE_SHAPE, Featured
from models.ladder import STRENGTH, Ladder
from models.ordinal import Ordinal
from models.ratings import Ratings
from models.rungs.noise import SCALE, SHAPE
from models.timed import Timed
from ranks.part import WHOLE

FAMILY = Family.MCMC
USERS = ("U", "user_bias", "precision_user")
NEAR, TIGHT = 0.1, 5.0  # rows before features speak: how far from 0, and the precision of their prior
DIVIDED = (*USERS, "V", "item_bias", "sigma2", *(f"{of}_{side}" for of in ("mean", "precision") for side in "UV"))


@dataclass(frozen=True)
class State:
    """The chain's position, by site."""

    latents: dict[str, Float64[Tensor, "..."]]
    engine: str


def init(rng: torch.Generator, model: Factorization, data: Ratings, *, engine: Engine = "auto") -> State:
    """A draw from the prior; of a model of levels near 0, with thresholds where the counts put them; with features
    rows that are drawn before those say anything."""
    if model.part.divided and (more := [site for site in model.sites if site not in DIVIDED]):
        raise InputError(f"ladder_gibbs does not divide a model with {', '.join(more)} among ranks: run it without "
                         f"torchrun, or take a model of noise, noise-per-user, hierarchical and biases")
    latents = from_prior(rng, model)
    if isinstance(model, Ordinal):
        latents = ordinal.near(model, latents, data)
    begun = start(rng, model, data, latents, engine=engine)
    if isinstance(model, Featured) and not isinstance(model, Ordinal):
        return State(rows_first(rng, model, data, latents, begun.engine), begun.engine)
    return begun


def start(rng: torch.Generator, model: Factorization, data: Ratings, latents: Latents, *,
          engine: Engine = "auto") -> State:
    sides(model, data)
    return State(dict(latents), choose("ladder_gibbs", engine, torch.device(model.device)))


def rows_first(rng: torch.Generator, model: Featured, data: Ratings, latents: Latents, engine: str) -> Latents:
    """A start for features: B = 0, and rows near 0 drawn once with N(0, I / TIGHT) for their prior.

    From a draw of the prior the weights fit noise, which it takes hundreds of sweeps to undo.
    """
    latents = dict(latents)
    for side, count in zip("UV", (model.num_users, model.num_items), strict=True):
        mean, B = latents[f"mean_{side}"], latents[f"weights_{side}"]
        eye = torch.eye(model.width, dtype=B.dtype, device=B.device)
        latents |= {f"mean_{side}": 0 * mean, f"weights_{side}": 0 * B, f"precision_{side}": TIGHT * eye,
                    f"ridge_{side}": B.new_tensor(TIGHT)}
        latents |= model.from_rows(NEAR * normals(rng, count, model.width).to(B), side)
    z_U, z_V = normals(rng, model.num_users, model.width), normals(rng, model.num_items, model.width)
    return rows(model, latents, data, z_U, z_V, engine)


def step(rng: torch.Generator, state: State, model: Factorization, data: Ratings) -> tuple[State, Info]:
    latents, working = dict(state.latents), None
    if isinstance(model, Ordinal):
        eta, code = linear(model, latents, data, state.engine), model.codes(data)
        latents["cutpoints"] = ordinal.cutpoints(rng, model, latents["cutpoints"], eta, code, state.engine)
        working = ordinal.latent_ratings(rng, latents["cutpoints"], eta, code, state.engine)
    if isinstance(model, Ladder):
        if model.noise_per_user:
            latents |= noise_of_users(rng, model, latents, data, state.engine)
        if model.noise:
            latents |= noise(rng, model, latents, data, state.engine)
        if model.hierarchical:
            latents |= normal_wishart(rng, model, latents)
    z_U, z_V = normals(rng, model.num_users, model.width, part=model.part), normals(rng, model.num_items, model.width)
    latents = rows(model, latents, data, z_U, z_V, state.engine, working)
    if isinstance(model, Timed):
        latents |= time(rng, model, latents, data, state.engine, working)
    return State(latents, state.engine), Info()


def draw(rng: torch.Generator, state: State, model: Factorization) -> Latents:
    return state.latents


def rows(model: Factorization, latents: Latents, data: Ratings, z_U: Tensor, z_V: Tensor, engine: str,
         working: Tensor | None = None) -> Latents:
    """All users given the items, then all items given the new users, from N(0, 1) noise (rows, D); `working` are
    ratings, (N,), in the place of the observed ones."""
    latents = dict(latents)
    both, variance = observed(model, latents, data, working)
    for side, other, ratings, z in zip("UV", "VU", both, (z_U, z_V), strict=True):
        table, offset = model.regressors(model.rows(latents, other))
        drawn = draw_rows(ratings, table, row_prior(model, latents, side), variance, z, column_offset=offset,
                          engine=engine)
        latents |= model.from_rows(drawn, side)
    return latents


def observed(model: Factorization, latents: Latents, data: Ratings, working: Tensor | None = None
             ) -> tuple[tuple[Rows, Rows], float]:
    """Both sides' ratings as their rows are linear in them, and the noise variance that their weights are in units of.

    Effects that are not of rows come off the ratings; where each has a noise of its own, its precision is its weight.
    """
    both, variance = sides(model, data), torch.as_tensor(model.noise_of(latents, data), dtype=torch.float64)
    effects = model.effects(latents, data)
    one = variance.numel() == 1
    if effects is not None:
        working = (data.rating if working is None else working) - effects
    if working is None and one:
        return both, float(variance)
    weight = None if one else 1 / variance
    users, items = (rows.working(working, weight) for rows in both)
    return (users, items), float(variance) if one else 1.0


def row_means(model: Factorization, latents: Latents, side: str) -> Tensor | None:
    """What features say of each row, (rows, D); None where there are none."""
    return features(model, side).means(latents[f"weights_{side}"]) if isinstance(model, Featured) else None


def row_prior(model: Factorization, latents: Latents, side: str) -> Prior:
    """N(mean, precision^-1) of a side's rows; with features each has a mean of its own."""
    if isinstance(model, Ladder) and model.hierarchical:
        mean, own = latents[f"mean_{side}"], row_means(model, latents, side)
        return Prior(mean if own is None else mean + own, latents[f"precision_{side}"])
    return Prior.of(model)


def linear(model: Ladder, latents: Latents, data: Ratings, engine: str) -> Tensor:
    """What is expected of these ratings, (N,); of levels of what falls between the thresholds."""
    mean, effects = predict(*model.product(latents), data.user, data.item, engine), model.effects(latents, data)
    return mean if effects is None else mean + effects


def errors(model: Ladder, latents: Latents, data: Ratings, engine: str, working: Tensor | None = None) -> Tensor:
    """What the ratings, or those `working` in their place, are off what is expected of them, (N,), standard units."""
    rating = data.rating if working is None else working
    return (rating - linear(model, latents, data, engine)) / model.unit


def noise(rng: torch.Generator, model: Ladder, latents: Latents, data: Ratings, engine: str) -> Latents:
    """The noise variance, (), in squared standard units."""
    if model.noise_per_user:
        return typical(rng, latents["precision_user"], model.part)
    error = errors(model, latents, data, engine)
    shape = torch.tensor(SHAPE + data.total / 2, dtype=torch.float64, device=error.device)
    return {"sigma2": (SCALE + 0.5 * data.part.sum(error @ error)) / gamma(rng, shape)}


def noise_of_users(rng: torch.Generator, model: Ladder, latents: Latents, data: Ratings, engine: str) -> Latents:
    """The users' noise precisions, (users,)."""
    error = errors(model, latents, data, engine)
    return precisions(rng, latents["sigma2"], error, data.user, model.num_users, model.part)


def time(rng: torch.Generator, model: Timed, latents: Latents, data: Ratings, engine: str,
         working: Tensor | None = None) -> Latents:
    """The effects of days and periods, (cells,) each, and their precisions."""
    error = errors(model, latents, data, engine, working)
    weight = model.unit**2 / torch.as_tensor(model.noise_of(latents, data), dtype=torch.float64, device=error.device)
    return of_time.effects(rng, model.of_time.calendar, latents, data, error, weight.expand_as(error))


def normal_wishart(rng: torch.Generator, model: Ladder, latents: Latents) -> Latents:
    """Mean and precision of the rows of both sides."""
    found: Latents = {}
    for side in "UV":
        X, part = model.rows(latents, side), model.part if side == "U" else WHOLE
        n, D = part.total(len(X)), X.shape[1]
        if (own := row_means(model, latents, side)) is not None:
            X = X - own
        eye = torch.eye(D, dtype=X.dtype, device=X.device)
        m = part.mean(X)
        scatter = part.sum((X - m).mT @ (X - m))
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
    B, root = latents[f"weights_{side}"], torch.linalg.cholesky(precision)

    def around(like: Tensor) -> Tensor:
        z = normals(rng, *like.shape).to(like)
        return torch.linalg.solve_triangular(root.mT, z.mT, upper=True).mT

    rows = model.rows(latents, side) - latents[f"mean_{side}"]
    B = features(model, side).regressed(rows, around(rows), around(B), ridge)
    rate = RIDGE_RATE + 0.5 * ((B @ precision) * B).sum()
    return {f"weights_{side}": B, f"ridge_{side}": gamma(rng, rate.new_tensor(RIDGE_SHAPE + B.numel() / 2)) / rate}
