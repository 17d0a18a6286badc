"""The ELBO of a Gaussian mean-field q, in closed form and differentiable: the judge of every variational method.

    q(U, V) = prod_i N(u_i | m_i, S_i)  prod_j N(v_j | m_j, S_j)
    ELBO = sum_n E_q log N(r_n | u_i . v_j, noise_variance) - KL(q(U) || p(U)) - KL(q(V) || p(V))
    E_q (r - u.v)^2 = (r - m_i.m_j)^2 + m_j' S_i m_j + m_i' S_j m_i + tr(S_i S_j)

S is diagonal (every entry by itself, the mean field of Problem 2) or full (every row by itself). With biases
(models/ladder.py) the rows are (u_i, b_i, 1) and (v_j, 1, c_j), S diagonal and 0 for the ones.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from errors import InputError
from inference.factorization.parts.kl import kl_rows
from models.factorization import Factorization
from models.ratings import Ratings

# Site -> (means, (n, K); spread: variances, (n, K), or covariances, (n, K, K)); biases are (n,) and (n,).
Moments = dict[str, tuple[Tensor, Tensor]]
GAUSSIAN = {"U", "V", "user_bias", "item_bias"}  # the sites whose priors are N(0, prior_variance), entry by entry

CHUNK = 2**17  # numbers gathered at once: they stay in the processor's cache


def elbo(model: Factorization, data: Ratings, moments: Moments) -> Tensor:
    """The lower bound on log p(r) in nats, every constant included. Cost: N K, or N K^2 for full covariances."""
    divergence = torch.zeros((), dtype=data.rating.dtype, device=data.device)
    for site in model.sites:
        divergence = divergence + model.part_of(site).sum(kl_rows(*moments[site], model.prior_variance))
    error = data.part.sum(expected_squared_error(data, moments))
    constant = 0.5 * data.total * math.log(2 * math.pi * model.noise_variance)
    return -0.5 * error / model.noise_variance - constant - divergence


def expected_squared_error(data: Ratings, moments: Moments) -> Tensor:
    """The sum over ratings of E_q (r - u_i . v_j)^2, in squared rating units."""
    (mean_U, spread_U), (mean_V, spread_V) = with_biases(moments)
    chunk = max(1, CHUNK // spread_U[0].numel())
    total = data.rating.new_zeros(())
    for user, item, rating in zip(data.user.split(chunk), data.item.split(chunk), data.rating.split(chunk),
                                  strict=True):
        u, S = mean_U.index_select(0, user), spread_U.index_select(0, user)
        v, T = mean_V.index_select(0, item), spread_V.index_select(0, item)
        total = total + ((rating - (u * v).sum(-1)) ** 2).sum()
        total = total + quadratic(v, S).sum() + quadratic(u, T).sum() + (S * T).sum()
    return total


def with_biases(moments: Moments) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The moments of two sides whose rows' inner products are the predictions: (u, b, 1) and (v, 1, c), or U and V."""
    if "user_bias" not in moments:
        return moments["U"], moments["V"]
    (u, S), (b, s) = moments["U"], moments["user_bias"]
    (v, T), (c, t) = moments["V"], moments["item_bias"]

    def side(rows: Tensor, *columns: Tensor) -> Tensor:
        return torch.cat([rows, torch.stack(columns, -1)], -1)

    return ((side(u, b, torch.ones_like(b)), side(S, s, torch.zeros_like(s))),
            (side(v, torch.ones_like(c), c), side(T, torch.zeros_like(t), t)))


def check_gaussian(model: Factorization) -> None:
    """Errors: InputError for a model that learns more than U, V and biases."""
    more = [site for site in model.sites if site not in GAUSSIAN]
    if more:
        raise InputError(f"this inference is for the plain model or the one with biases, and has no place for "
                         f"{', '.join(more)}: sample those, as ladder_gibbs does")


def quadratic(x: Tensor, spread: Tensor) -> Tensor:
    """x'Sx of every row, S full or diagonal."""
    if spread.ndim > x.ndim:
        return torch.einsum("nk,nkl,nl->n", x, spread, x)
    return (x**2 * spread).sum(-1)
