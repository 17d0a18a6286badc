"""Natural-gradient steps of a Gaussian q, one side after the other, on all ratings.

    q(U, V) = prod_i N(u_i | m_i, S_i)  prod_j N(v_j | m_j, S_j),      f = E_q log p(U, V, r)
    S_i'^-1 = (1 - rho) S_i^-1 + rho (-2 df/dS_i),      m_i' = m_i + rho S_i' df/dm_i

is a step of length rho along the gradient of the ELBO in the metric of the KL divergence: df/dm and df/dS are that
of the ELBO without q's entropy, by torch's autograd. f is in closed form (`mean_field_elbo`), so that nothing is
sampled, and a user's gradient is of all ratings that the user gave: of a minibatch it would see one or two.

With rho = 1 and a covariance a row a step is the exact maximum given the other side, `coordinate_ascent`'s. With
independent entries every entry goes where it would be best if the others stood still; a row whose ELBO would fall by
that goes to the highest point on the way instead, so that the ELBO never falls. Cost of a sweep: N K, or N K^2 +
(users + items) K^3 for covariances. Source: Khan and Lin, Conjugate-computation variational inference (2017).
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Float64
from torch import Tensor

from errors import InputError, unknown
from inference.factorization.parts.by_row import Rows, sides
from inference.factorization.parts.mean_field_elbo import Moments
from models.factorization import Factorization
from models.ratings import Ratings

Steps = Literal["auto", "natural", "adam"]
CHUNK = 2**20  # numbers gathered at once


def wanted(steps: str, **adams: object) -> bool:
    """Whether steps are natural where they can be: not where one of Adam's options has a value.

    >>> wanted("auto", lr=None), wanted("auto", lr=0.1), wanted("adam")
    (True, False, False)
    """
    if steps not in get_args(Steps):
        raise unknown("kind of steps", steps, get_args(Steps))
    given = [name for name, value in adams.items() if value is not None]
    if steps == "natural" and given:
        raise InputError(f"{given[0]} is of Adam's steps, and natural ones take all ratings at a rate of 1: leave it "
                         f"out, or take steps=adam")
    return steps != "adam" and not given


def sweep(model: Factorization, data: Ratings, q: Moments, rate: float = 1.0) -> Moments:
    """A step of the users given the items, then one of the items given the users."""
    found = dict(q)
    for side, other, rows in zip("UV", "VU", sides(model, data), strict=True):
        new = step(rows, model, rows_of(model, found, side), rows_of(model, found, other), rate)
        mean, spread = (model.from_rows(x, side) for x in new)
        found |= {site: (mean[site], spread[site]) for site in mean}
    return found


def rows_of(model: Factorization, q: Moments, side: str) -> tuple[Tensor, Tensor]:
    """Means and spreads of whole rows, biases included."""
    mean, spread = ({site: moments[k] for site, moments in q.items()} for k in (0, 1))
    return model.rows(mean, side), model.rows(spread, side)


def step(rows: Rows, model: Factorization, own: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor],
         rate: float = 1.0) -> tuple[Tensor, Tensor]:
    """Means, (rows, D), and variances or covariances, (rows, D) or (rows, D, D), of one side after a step."""
    parts = []
    size = max(1, CHUNK * len(rows) // max(1, len(rows.index) * own[0].shape[1]))
    for here, block in rows.blocks(size):
        energy = Energy(block, model, *other)
        mean, spread = (x[here].detach().requires_grad_() for x in own)
        f = energy(mean, spread)
        slope, curve = torch.autograd.grad(f.sum(), (mean, spread))
        with torch.no_grad():
            spread = mixed(spread, -2 * curve, rate)
            move = rate * times(spread, slope)
            rise = energy(mean + move, spread) - energy(mean, spread)
            parts.append((mean + highest(rise, (move * slope).sum(1))[:, None] * move, spread))
    mean, spread = (torch.cat(x) for x in zip(*parts, strict=True))
    return mean, spread


class Energy:
    """E_q log p of the rows of a block as a function of their moments, up to a constant, nats: (rows,)

        f_i = -1/(2 sigma^2) [ sum_j (r_ij - m_i.m_j)^2 + tr(S_i sum_j E v_j v_j') + m_i' (sum_j S_j) m_i ]
              - (tr S_i + m_i'm_i) / (2 s)
    """

    def __init__(self, block: Rows, model: Factorization, mean: Tensor, spread: Tensor) -> None:
        mean, offset = model.regressors(mean)
        if offset is not None and spread.ndim == 2:  # of a bias' regressor, which is known
            spread = torch.cat([spread[:, :-1], torch.zeros_like(spread[:, :1])], 1)
        square = mean.square() if spread.ndim == 2 else mean[:, :, None] * mean[:, None, :]
        self.model, self.index = model, block.index
        self.rating = block.rating if offset is None else block.rating - offset.index_select(0, block.index)
        self.row = torch.arange(len(block), device=mean.device).repeat_interleave(block.counts)
        self.regressor = mean.index_select(0, block.index)
        self.square, self.spread = (block.sums(x.flatten(1)).reshape(-1, *x.shape[1:])
                                    for x in (square + spread, spread))

    def __call__(self, mean: Tensor, spread: Tensor) -> Float64[Tensor, "rows"]:
        error = self.rating - (mean.index_select(0, self.row) * self.regressor).sum(-1)
        fit = mean.new_zeros(len(mean)).index_add(0, self.row, error.square())
        fit = fit + (spread * self.square).flatten(1).sum(1) + (mean * times(self.spread, mean)).sum(1)
        variance = spread if spread.ndim == 2 else spread.diagonal(dim1=1, dim2=2)
        return -0.5 * (fit / self.model.noise_variance + (variance + mean.square()).sum(1) / self.model.prior_variance)


def times(spread: Tensor, x: Tensor) -> Tensor:
    """S x of every row, S diagonal or full."""
    return spread * x if spread.ndim == 2 else (spread @ x[..., None])[..., 0]


def mixed(spread: Tensor, precision: Tensor, rate: float) -> Tensor:
    """The variances or covariances whose inverse is (1 - rate) spread^-1 + rate precision."""
    if spread.ndim == 2:
        return 1 / ((1 - rate) / spread + rate * precision)
    old = 0.0 if rate == 1 else (1 - rate) * torch.cholesky_inverse(torch.linalg.cholesky(spread))
    return torch.cholesky_inverse(torch.linalg.cholesky(old + rate * precision))


def highest(rise: Tensor, slope: Tensor) -> Float64[Tensor, "rows"]:
    """The share of a move to take: all of it where f rises, else the top of the parabola t slope - t^2 (slope - rise).

    >>> highest(torch.tensor([1.0, -1.0]), torch.tensor([1.0, 1.0]))
    tensor([1.0000, 0.2500])
    """
    return torch.where(rise < 0, slope / (2 * (slope - rise)), 1.0)
