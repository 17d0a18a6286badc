"""A place to start a fit of U and V from, away from the saddle at 0."""

from __future__ import annotations

import math

import torch

from inference.factorization.parts.by_row import sides
from inference.factorization.parts.gaussian import standard_normal
from inference.factorization.parts.mean_field_elbo import check_gaussian
from inference.method import Latents
from models.factorization import Factorization
from models.ratings import Ratings


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
    total, mean = data.part.sum(total), data.part.sum(data.rating.sum()) / data.total
    average = torch.where(items.in_all > 0, total / items.in_all.clamp(min=1), mean)
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
    leading = torch.linalg.eigh(data.part.sum(scores.T @ scores)).eigenvectors.flip(1)[:, :more]
    scores = scores @ leading
    size = model.part.mean(scores.square()).sqrt().clamp(min=torch.finfo(U.dtype).tiny)
    U[:, first:] = scores = scores * (0.7 * s / size)
    precision = items.sums(scores.square()) / model.noise_variance + 1 / model.prior_variance
    V[:, first:] = items.sums(scores, left_items) / model.noise_variance / precision
    return {"U": U, "V": V} | ({"user_bias": torch.zeros_like(U[:, 0]), "item_bias": average} if biases else {})
