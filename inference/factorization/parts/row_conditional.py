"""p(u_i | V, r): the conditional of one row given the other side. Derived once, used by every method.

    log p(u_i | V, r) = -1/2 (u_i - mu)' Lambda (u_i - mu) - 1/(2 sigma^2) sum_j (r_ij - u_i . v_j)^2 + constant

is quadratic in u_i, hence N(mu_i, Sigma_i), with the sums over the items that user i rated (checks 3.1, 3.2)

    Sigma_i^-1 = Lambda + 1/sigma^2 sum_j v_j v_j'
    mu_i       = Sigma_i (Lambda mu + 1/sigma^2 sum_j v_j r_ij)

and Lambda = I / prior_variance, mu = 0 in the plain model. Items are the same with the sides exchanged.
Where ratings have weights, the precision of rating n is w_n / sigma^2 in both sums (`Rows.working`).
Where v_j is itself N(m_j, S_j), E[v_j v_j'] = m_j m_j' + S_j takes the place of v_j v_j', and the same
formula is the best q(u_i). A row without ratings has its prior. Cost of a pass: N K^2 + rows K^3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from inference.engine import choose
from inference.factorization.parts.by_row import Rows
from inference.threads import over_rows
from models.factorization import Factorization

Shape = Literal["entry", "row"]
CHUNK = 2**23  # numbers in a table of the torch version
NEAR = 2**18  # numbers of a table that the caches hold, 2 MB


@dataclass(frozen=True)
class Prior:
    """N(mean, precision^-1) of the rows of a side: one mean, or one a row. Precision 0 is no prior at all."""

    mean: Float64[Tensor, "*rows K"]
    precision: Float64[Tensor, "K K"]

    @classmethod
    def of(cls, model: Factorization) -> Prior:
        """N(0, prior_variance) for every entry of a row, its bias included where the model has one."""
        eye = torch.eye(model.width, dtype=torch.float64, device=model.device)
        return cls(eye.new_zeros(model.width), eye / model.prior_variance)

    @property
    def shift(self) -> Tensor:
        """Precision times mean, (K,) or (rows, K)."""
        return self.precision @ self.mean if self.mean.ndim == 1 else self.mean @ self.precision


@dataclass(frozen=True)
class Posterior:
    """The best q of every row of a side.

    `spread` holds covariances S_i = Sigma_i, (rows, K, K), or, where every entry is by itself, the variances
    1 / (Sigma_i^-1)_kk, (rows, K): the means are the same, for they maximise the same quadratic.
    """

    mean: Float64[Tensor, "rows K"]
    spread: Float64[Tensor, "rows K *K"]
    fit: Float64[Tensor, "rows"]  # 1/2 mu_i' Sigma_i^-1 mu_i
    log_det: Float64[Tensor, "rows"]  # log |S_i|


def draw(rows: Rows, other: Tensor, prior: Prior, noise_variance: float, z: Tensor | None = None, *,
         row_offset: Tensor | None = None, column_offset: Tensor | None = None, jitter: float = 0.0,
         engine: str = "auto") -> Float64[Tensor, "rows K"]:
    """mu_i + L_i'^-1 z_i for every row, L_i L_i' = Sigma_i^-1: a draw for N(0, 1) noise z; without it, the mean.

    other          V for users, U for items, (columns, K)
    row_offset     (rows,) and column_offset, (columns,): taken off every rating first (biases)
    jitter         added to Sigma_i^-1, as a share of its trace: what keeps it regular where there is no prior
    """
    K = other.shape[1]
    if choose("the row conditional", engine, other.device) == "torch":
        return torch.cat([_solve(precision, shift, None if z is None else z[here])
                          for here, precision, shift in natural_parameters(rows, other, prior, noise_variance, None,
                                                                 row_offset, column_offset, jitter)])
    from inference.factorization.compiled import row_conditional as row_conditional_numba

    noise = np.zeros((len(rows), K)) if z is None else z.contiguous().numpy()
    offset = np.zeros(len(rows)) if row_offset is None else row_offset.contiguous().numpy()
    out, given = other.new_empty(len(rows), K), _packed(other, prior, noise_variance, column_offset)
    over_rows(row_conditional_numba.draw, rows.work, rows.indptr.numpy(), rows.index.numpy(), rows.rating.numpy(),
              offset, *given, jitter, noise, *_own(rows, prior), _sums(rows, given, offset), out.numpy())
    return out


def posterior(rows: Rows, other: Tensor, prior: Prior, noise_variance: float, spread: Tensor | None = None,
              shape: Shape = "row", *, column_offset: Tensor | None = None, engine: str = "auto") -> Posterior:
    """Mean and spread of every row, given the means (`other`) and spreads of the other side.

    spread         (columns, K) variances or (columns, K, K) covariances of the other side, or None: points
    column_offset  (columns,): taken off every rating first (biases)
    """
    n, K = len(rows), other.shape[1]
    if choose("the row conditional", engine, other.device) == "torch":
        parts = [_posterior(precision, shift, shape) for _, precision, shift in
                 natural_parameters(rows, other, prior, noise_variance, spread, None, column_offset)]
        return Posterior(*(torch.cat(part) for part in zip(*parts, strict=True)))
    from inference.factorization.compiled import row_posterior as row_posterior_numba

    table = _packed(other, prior, noise_variance, column_offset)
    given = (other.new_empty(len(other), 0) if spread is None else spread.flatten(1)).contiguous().numpy()
    mean, fit, log_det = other.new_empty(n, K), other.new_empty(n), other.new_empty(n)
    wide = other.new_empty(n, K) if shape == "entry" else other.new_empty(n, K, K)
    over_rows(row_posterior_numba.posterior, rows.work, rows.indptr.numpy(), rows.index.numpy(), rows.rating.numpy(),
              *table, given, *_own(rows, prior), _sums(rows, table, np.zeros(n), given), mean.numpy(),
              wide.flatten(1).numpy(), fit.numpy(), log_det.numpy())
    return Posterior(mean, wide, fit, log_det)


def sample(mean: Tensor, spread: Tensor, z: Tensor, *, engine: str = "auto") -> Float64[Tensor, "rows K"]:
    """A draw of every row from N(mean_i, S_i) for N(0, 1) noise z, S_i as in `Posterior`."""
    if spread.ndim == mean.ndim:
        return mean + spread.sqrt() * z
    if choose("the row conditional", engine, mean.device) == "torch":
        return mean + (torch.linalg.cholesky(spread) @ z[..., None])[..., 0]
    from inference.factorization.compiled import row_posterior as row_posterior_numba

    out = torch.empty_like(mean)
    over_rows(row_posterior_numba.sample, len(mean), *(t.contiguous().numpy() for t in (mean, spread, z)), out.numpy())
    return out


def natural_parameters(rows: Rows, other: Tensor, prior: Prior, noise_variance: float, spread: Tensor | None = None,
                       row_offset: Tensor | None = None, column_offset: Tensor | None = None,
                       jitter: float = 0.0) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """P_i = Sigma_i^-1, (n, K, K), and h_i = Sigma_i^-1 mu_i, (n, K), a block of rows after the other."""
    K = other.shape[1]
    a, b = torch.tril_indices(K, K, device=other.device)
    step = max(1, CHUNK // max(1, len(other)))
    for here, block in rows.blocks(max(1, CHUNK // K**2)):
        rating = block.rating
        if row_offset is not None:
            rating = rating - row_offset[here].repeat_interleave(block.counts)
        if column_offset is not None:
            rating = rating - column_offset[block.index]
        weighted = rating if block.weight is None else rating * block.weight
        shift = (prior.shift if prior.mean.ndim == 1 else prior.shift[here]) + rows.part.sum(
            block.sums(other, weighted)) / noise_variance
        sums = []
        for p, q in zip(a.split(step), b.split(step), strict=True):
            products = other[:, p] * other[:, q]
            if spread is not None:
                products = products + (spread[:, p, q] if spread.ndim == 3 else spread[:, p] * (p == q))
            sums.append(block.sums(products, block.weight))
        found = rows.part.sum(torch.cat(sums, 1)) / noise_variance
        precision = prior.precision.expand(len(block), K, K).clone()
        precision[:, a, b] += found
        precision[:, b, a] += torch.where(a == b, 0.0, found)
        if jitter:
            trace = precision.diagonal(dim1=1, dim2=2).sum(1)
            precision.diagonal(dim1=1, dim2=2).add_(torch.where(trace > 0, jitter * trace, 1.0)[:, None])
        yield here, precision, shift


def _solve(precision: Tensor, shift: Tensor, z: Tensor | None) -> Tensor:
    L = torch.linalg.cholesky(precision)
    y = torch.linalg.solve_triangular(L, shift[..., None], upper=False)
    return torch.linalg.solve_triangular(L.mT, y if z is None else y + z[..., None], upper=True)[..., 0]


def _posterior(precision: Tensor, shift: Tensor, shape: Shape) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The fields of `Posterior`."""
    L = torch.linalg.cholesky(precision)
    mean = torch.cholesky_solve(shift[..., None], L)[..., 0]
    fit = 0.5 * (shift * mean).sum(1)
    if shape == "entry":
        variance = 1 / precision.diagonal(dim1=1, dim2=2)
        return mean, variance, fit, variance.log().sum(1)
    return mean, torch.cholesky_inverse(L), fit, -2 * L.diagonal(dim1=1, dim2=2).log().sum(1)


def _packed(other: Tensor, prior: Prior, noise_variance: float,
            column_offset: Tensor | None) -> tuple[np.ndarray, np.ndarray, int, int, float, np.ndarray]:
    """(table, unit, K, W, beta, natural) as the kernels take them: see `compiled.row_conditional`."""
    columns, K = other.shape
    W = 4 * (K // 4 + 1)
    table, natural, unit = np.zeros((columns, W)), np.zeros((W, W)), np.zeros(4)
    table[:, :K] = other.numpy()  # by numpy, for torch's threads would spin on the cores that ours need next
    if column_offset is not None:
        table[:, K] = -column_offset.numpy()
    unit[K % 4] = 1.0
    natural[:K, :K] = prior.precision.numpy()
    if prior.mean.ndim == 1:
        natural[K, :K] = prior.shift.numpy()
    return table.ravel(), unit, K, W, 1 / noise_variance, natural.ravel()


def _sums(rows: Rows, given: tuple[np.ndarray, np.ndarray, int, int, float, np.ndarray], offset: np.ndarray,
          spread: np.ndarray | None = None) -> np.ndarray:
    """Of rows whose ratings are divided among ranks the sums over all of these, K (K + 1) / 2 + K a row; also where the
    other side's table is better read a part after the other; else none."""
    table, unit, K, W, _, _ = given
    far = spread is None and worth_columns(rows, table, W)
    if not (far or rows.part.divided):
        return np.empty((0, 0))
    from inference.factorization.compiled.row_moments import by_columns
    from inference.factorization.compiled.row_posterior import summed

    out = torch.empty(len(rows), K * (K + 3) // 2, dtype=torch.float64)
    read = rows.indptr.numpy(), rows.index.numpy(), rows.rating.numpy(), offset, table, unit, K, W
    if far:
        over_rows(by_columns, rows.work, *read, _root(rows), NEAR // W, np.zeros(len(rows) * W * W), out.numpy())
    else:
        over_rows(summed, rows.work, *read, np.empty((0, 0)) if spread is None else spread, _root(rows), out.numpy())
    return rows.part.sum(out).numpy()


def worth_columns(rows: Rows, table: np.ndarray, W: int) -> bool:
    """Whether the table is far larger than the caches, and rows have so many ratings that their sums are not."""
    return W > 4 and len(table) > 4 * NEAR and len(rows) * max(W * W, 32 * len(table) // NEAR) < len(rows.rating)


def _root(rows: Rows) -> np.ndarray:
    return np.empty(0) if rows.weight is None else np.sqrt(rows.weight.numpy())


def _own(rows: Rows, prior: Prior) -> tuple[np.ndarray, np.ndarray]:
    """What rows have of their own: roots of the weights of their ratings, and Lambda mu; empty where they have none."""
    shift = prior.shift.contiguous().numpy()
    return _root(rows), np.empty((0, len(prior.precision))) if prior.mean.ndim == 1 else shift
