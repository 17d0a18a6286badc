"""New users without refitting: each one's row given their ratings, for every kept draw of the items.

    u | V_d, theta_d, r ~ N(mu_d, Sigma_d)        as `row_conditional`
    r_j | d ~ N(w_j . mu_d + c_j, w_j' Sigma_d w_j + noise_d),        w_j, c_j the regressors of item j

Exact given V_d and the other latents theta_d: what a refit that holds them fixed gives. With features the prior mean of
a new user's row is that of theirs: mean_d + F_new B_d. What new ratings say about V
is left out; draws of V are those of the fit, from q where it is variational; where the noise is learned a user, new
ones are taken to be as noisy as is typical. With time nothing is known of their days, so that each rating has an effect
of the day of its own, N(0, 1 / precision_day), as if no two were of one day. Levels: see `fold_in_levels`.
Cost of a user: D (n K^2 + K^3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from inference.factorization.fitted.fold_in_levels import latent
from inference.factorization.fitted.levels import expected_level
from inference.factorization.parts.by_row import by_user_and_item
from inference.factorization.parts.row_conditional import Prior, posterior
from inference.method import Latents
from models.factorization import Factorization
from models.features import Featured, implicit
from models.ladder import Ladder
from models.model import stream
from models.ordinal import Ordinal
from models.ratings import Ratings
from models.timed import Timed


@dataclass(frozen=True, eq=False)
class Rows:
    """The new users' conditionals, a component for every draw."""

    mean: Float64[Tensor, "draws users D"]
    covariance: Float64[Tensor, "draws users D D"]


def prior_of(model: Factorization, latents: Latents, features: Tensor | None) -> Prior:
    """Of new users' rows, given what is learned of users."""
    if isinstance(model, Ladder) and model.hierarchical:
        mean = latents["mean_U"] if features is None else latents["mean_U"] + features @ latents["weights_U"]
        return Prior(mean, latents["precision_U"])
    return Prior.of(model)


def features_of(model: Factorization, new: Ratings, known: Tensor | None = None) -> Tensor | None:
    """F of new users: what they rated, and what else is `known` of them, (users, features), 0 where nothing is; None of
    a model without features."""
    if not isinstance(model, Featured):
        return None
    parts = [implicit(new.pairs, new.num_users, new.num_items)] if model.implicit else []
    if model.user_known is not None:
        parts.append(torch.zeros(new.num_users, model.user_known.encoding.width, dtype=torch.float64)
                     if known is None else known)
    return torch.cat(parts, 1) if parts else None


def fold_in(model: Factorization, draws: list[Latents], new: Ratings, features: Tensor | None = None) -> Rows:
    """The rows of the users of `new`, whose items are the fit's; `features` are theirs, see `features_of`."""
    users, rng = by_user_and_item(new)[0], stream(0)
    found = []
    for latents in draws:
        table, offset = model.regressors(model.rows(latents, "V"))
        table, prior, (effects, variance) = table.contiguous(), prior_of(model, latents, features), beyond(
            model, latents, new)
        weight, noise = (None, variance) if isinstance(variance, float) else (1 / variance, 1.0)
        rating = new.rating - effects
        if isinstance(model, Ordinal):
            rating = latent(rng, model, latents, new, users, table, prior, offset, effects, weight)
        found.append(posterior(users.working(rating, weight), table, prior, noise, column_offset=offset))
    return Rows(torch.stack([f.mean for f in found]), torch.stack([f.spread for f in found]))


def components(model: Factorization, draws: list[Latents], rows: Rows, user: np.ndarray, item: np.ndarray,
               time: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Means and variances of the predictive mixture at pairs (P,), each (draws, P); of levels of what falls between the
    thresholds. `time` is told of a model with time, or not."""
    m, s = np.empty((len(draws), len(user))), np.empty((len(draws), len(user)))
    at = anybody(model, item, time)
    for d, latents in enumerate(draws):
        table, offset = model.regressors(model.rows(latents, "V"))
        w = table.numpy()[item]
        mean, covariance = rows.mean[d].numpy()[user], rows.covariance[d].numpy()[user]
        m[d] = np.einsum("pk,pk->p", w, mean) + (0.0 if offset is None else offset.numpy()[item])
        s[d] = (np.matmul(covariance, w[:, :, None])[:, :, 0] * w).sum(1)
        effects, noise = (np.asarray(x) for x in beyond(model, latents, at))
        m[d], s[d] = m[d] + effects, s[d] + noise
    return m, s


def anybody(model: Factorization, item: np.ndarray, time: np.ndarray | None = None) -> Ratings:
    """Ratings of these items by whomever."""
    place = torch.from_numpy(item.astype(np.int64))
    return Ratings(torch.zeros_like(place), place, torch.zeros(len(place), dtype=torch.float64), 1, model.num_items,
                   time=None if time is None else torch.from_numpy(time))


def beyond(model: Factorization, latents: Latents, new: Ratings) -> tuple[Tensor | float, Tensor | float]:
    """What is expected of new users' ratings beyond their rows, and the noise variance."""
    return model.of_strangers(latents, new) if isinstance(model, Timed) else (0.0, float(model.noise_of(latents)))


def means(model: Factorization, draws: list[Latents], rows: Rows, user: np.ndarray) -> np.ndarray:
    """Predictive means of users (U,) at every item, (U, items)."""
    total, every = np.zeros((len(user), model.num_items)), anybody(model, np.arange(model.num_items))
    for d, latents in enumerate(draws):
        table, offset = (None if x is None else x.numpy() for x in model.regressors(model.rows(latents, "V")))
        assert table is not None
        effects, noise = (np.asarray(x) for x in beyond(model, latents, every))
        here = rows.mean[d].numpy()[user] @ table.T + (0.0 if offset is None else offset) + effects
        if isinstance(model, Ordinal):
            s = noise + np.einsum("jk,ukl,jl->uj", table, rows.covariance[d].numpy()[user], table, optimize=True)
            here = expected_level(here, latents["cutpoints"].numpy(), np.array(model.levels), np.sqrt(s))
        total += here
    return total / len(draws)
