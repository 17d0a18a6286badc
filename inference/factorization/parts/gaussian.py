"""What every Gaussian q of U and V shares: KL, predictions, draws, and a place to start.

`Moments` are those of `mean_field_elbo`: site -> (means, variances or covariances).
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float64
from torch import Tensor

from inference.factorization.compiled.normals import normals
from inference.factorization.parts.by_row import sides
from inference.factorization.parts.mean_field_elbo import Moments, check_gaussian, quadratic, with_biases
from inference.method import Latents, Quantities
from models.factorization import Factorization
from models.ratings import Pairs, Ratings


def kl_normal(mean_q: Tensor, variance_q: Tensor, mean_p: Tensor | float, variance_p: float) -> Tensor:
    """KL(N(mean_q, variance_q) || N(mean_p, variance_p)), elementwise, in nats (checkpoint 2.1).

    log(s_p / s_q) + (s_q^2 + (m_q - m_p)^2) / (2 s_p^2) - 1/2
    """
    return 0.5 * ((variance_q + (mean_q - mean_p) ** 2) / variance_p - 1 - torch.log(variance_q / variance_p))


def prediction_moments(moments: Moments, pairs: Pairs) -> tuple[Float64[Tensor, "N"], Float64[Tensor, "N"]]:
    """Mean and variance of u_i . v_j under q, at `pairs`; a rating's variance has the noise variance besides.

    E[u.v] = m_u . m_v,    Var[u.v] = m_v' S_u m_v + m_u' S_v m_u + tr(S_u S_v)
    """
    (u, S), (v, T) = (
        tuple(rows.index_select(0, index) for rows in side)
        for side, index in zip(with_biases(moments), pairs, strict=True)
    )
    return (u * v).sum(-1), quadratic(v, S) + quadratic(u, T) + (S * T).flatten(1).sum(-1)


def expected(model: Factorization, moments: Moments) -> Quantities:
    """What `expect` returns: `U_mean`, `U_var` and so on for every site, and at the model's pairs, if it has some,
    `prediction` and `prediction_var`."""
    found: Quantities = {}
    for site, (mean, spread) in moments.items():
        variance = spread if spread.ndim == mean.ndim else spread.diagonal(dim1=-2, dim2=-1)
        found |= {f"{site}_mean": mean, f"{site}_var": variance}
    if model.pairs is not None:
        found["prediction"], found["prediction_var"] = prediction_moments(moments, model.pairs)
    return found


def draw_normal(rng: torch.Generator, moments: Moments) -> Latents:
    """One draw of every site from q with independent entries."""
    return {site: mean + variance.sqrt() * standard_normal(rng, mean) for site, (mean, variance) in moments.items()}


def standard_normal(rng: torch.Generator, like: Tensor) -> Tensor:
    """N(0, 1) noise of the shape, type and device of `like`."""
    return normals(rng, *like.shape).to(like)


def spectral_start(rng: torch.Generator, model: Factorization, data: Ratings) -> Latents:
    """Means to start from: the first factor predicts every item's average rating, the others are the leading
    directions of what that leaves (zero where there is no rating), by randomised subspace iteration.

        u_i1 = s,   v_j1 = (average of item j) / s,                         s^2 = prior variance
        u_ik = users' scores, of size 0.7 s,   v_jk = items' directions, of size 0.045 s    for k > 1

    With biases the averages are the items' biases, and all factors are directions.

    From U and V both near 0 the gradient is near 0 (u's is proportional to v and the reverse), and a factor
    can stay dead for thousands of steps; from random users it is awake but points anywhere. Here users are
    of the prior's size and items small: they grow where that pays. Cost: 5 N (K + 7).
    Source: Halko, Martinsson and Tropp, Finding structure with randomness (2011).
    """
    check_gaussian(model)
    users, items = sides(model, data)
    s = math.sqrt(model.prior_variance)
    total = torch.bincount(data.item, weights=data.rating, minlength=model.num_items)
    average = torch.where(items.counts > 0, total / items.counts.clamp(min=1), data.rating.mean())
    U = torch.full(model.sites["U"], s, dtype=data.rating.dtype, device=data.device)
    V = torch.empty(model.sites["V"], dtype=data.rating.dtype, device=data.device)
    biases = "user_bias" in model.sites
    first = 0 if biases else 1
    V[:, :first] = average[:, None] / s
    left_users = users.rating - average[users.index]
    left_items = items.rating - average.repeat_interleave(items.counts)
    more = model.rank - first
    Q = standard_normal(rng, V.new_empty(model.num_items, min(more + 8, model.num_items)))
    for _ in range(2):
        Q = torch.linalg.qr(items.sums(users.sums(Q, left_users), left_items)).Q
    scores = users.sums(Q, left_users)
    leading = torch.linalg.eigh(scores.T @ scores).eigenvectors.flip(1)[:, :more]
    scores = scores @ leading
    U[:, first:] = scores = scores * (0.7 * s / scores.square().mean(0).sqrt().clamp(min=torch.finfo(U.dtype).tiny))
    precision = items.sums(scores.square()) / model.noise_variance + 1 / model.prior_variance
    V[:, first:] = items.sums(scores, left_items) / model.noise_variance / precision
    return {"U": U, "V": V} | ({"user_bias": torch.zeros_like(U[:, 0]), "item_bias": average} if biases else {})
