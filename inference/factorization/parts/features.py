"""Products with the features of a side, F and F', and the regression on them: what they cost a sweep.

F is mostly zeros where it is who rated what or one-hot words: its products are then sparse, N D for N ratings where a
dense one takes rows times features times D. The regression takes the eigenvectors of the smaller of FF' and F'F, once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from weakref import ReferenceType, WeakKeyDictionary, ref

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from inference.factorization.compiled import products
from inference.threads import over_rows
from models.features import Featured

DEAR = 64  # of a row of a product, in the units of `over_rows`
SPARSE = 0.2  # the share of entries that are not zero, below which a sparse product is faster


@dataclass(frozen=True, eq=False)
class Sparse:
    """Of a matrix the entries that are not zero, row after row."""

    indptr: np.ndarray
    index: np.ndarray
    value: np.ndarray

    @classmethod
    def of(cls, F: Tensor) -> Sparse:
        row, column = F.nonzero(as_tuple=True)
        indptr = np.concatenate([[0], np.cumsum(torch.bincount(row, minlength=len(F)).numpy())])
        return cls(indptr, column.to(torch.int32).numpy(), F[row, column].numpy())

    @cached_property
    def work(self) -> np.ndarray:
        """Before each row, in entries."""
        return self.indptr + 8 * np.arange(len(self.indptr))

    def __matmul__(self, X: Tensor) -> Tensor:
        table, out = padded(X, len(self.indptr) - 1)
        over_rows(products.sparse, self.work, self.indptr, self.index, self.value, table.ravel(), table.shape[1],
                  out.ravel())
        return torch.from_numpy(np.ascontiguousarray(out[:, : X.shape[1]]))


def padded(X: Tensor, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """X with columns of zeros up to a multiple of four, and as wide a table for `rows`."""
    W = 4 * -(-X.shape[1] // 4)
    table = np.zeros((len(X), W))
    table[:, : X.shape[1]] = X.numpy()
    return table, np.empty((rows, W))


def tall(Q: Tensor, X: Tensor) -> Tensor:
    """Q X of a square Q and a narrow X: BLAS is made for other shapes."""
    if Q.device.type != "cpu" or not len(Q):
        return Q @ X
    table, out = padded(X, len(Q))
    over_rows(products.dense, DEAR * np.arange(len(Q) + 1), Q.numpy().ravel(), len(Q), table.ravel(), table.shape[1],
              out.ravel())
    return torch.from_numpy(np.ascontiguousarray(out[:, : X.shape[1]]))


@dataclass(eq=False)
class Side:
    """F of a side. `made` is the last B and F B: a sweep asks for the same three times."""

    F: Float64[Tensor, "rows features"]
    spectrum: tuple[Tensor, Tensor]  # eigenvalues and vectors Q of FF' or F'F, whichever is smaller
    made: tuple[ReferenceType[Tensor], int, Tensor] | None = field(default=None)

    @cached_property
    def sparse(self) -> tuple[Sparse, Sparse] | None:
        """F and F', where it is worth while."""
        if self.F.device.type != "cpu" or int((self.F != 0).sum()) > SPARSE * self.F.numel():
            return None
        return Sparse.of(self.F), Sparse.of(self.F.mT.contiguous())

    def times(self, X: Tensor) -> Tensor:
        """F X, (rows, D)."""
        return self.sparse[0] @ X if self.sparse else self.F @ X

    def transposed(self, Y: Tensor) -> Tensor:
        """F' Y, (features, D)."""
        return self.sparse[1] @ Y if self.sparse else self.F.mT @ Y

    def means(self, B: Tensor) -> Tensor:
        """F B, (rows, D), of the weights of a state."""
        made = self.made
        if made is None or made[0]() is not B or made[1] != B._version:
            self.made = made = ref(B), B._version, self.times(B)
        return made[2]

    def regressed(self, X: Tensor, around_rows: Tensor, around_weights: Tensor, ridge: Tensor) -> Tensor:
        """A draw of B given X = F B + E: E, E' are N(0, precision^-1) rows, (rows, D) and (features, D).

            (F'F + ridge I)^-1 [F'(X + E) + ridge^1/2 E']                            where features are fewer, else
            B_0 + F' (FF' + ridge I)^-1 (X + E - F B_0),    B_0 = ridge^-1/2 E'      the same by Matheron's rule
        """
        n, f = self.F.shape
        if n >= f:
            return self.shrunk(self.transposed(X + around_rows) + ridge.sqrt() * around_weights, ridge)
        prior = around_weights / ridge.sqrt()
        return prior + self.transposed(self.shrunk(X + around_rows - self.times(prior), ridge))

    def shrunk(self, X: Tensor, ridge: Tensor) -> Tensor:
        """Q (values + ridge)^-1 Q' X."""
        Q, turned = self.vectors
        return tall(Q, tall(turned, X) / (self.spectrum[0] + ridge)[:, None])

    @cached_property
    def vectors(self) -> tuple[Tensor, Tensor]:
        """Q and Q', each with its rows one after the other in memory."""
        return self.spectrum[1].contiguous(), self.spectrum[1].mT.contiguous()


_sides: WeakKeyDictionary[Featured, dict[str, Side]] = WeakKeyDictionary()


def features(model: Featured, side: str) -> Side:
    """Those of a side of this model, made once."""
    kept = _sides.get(model)
    if kept is None:
        _sides[model] = kept = {s: Side(model.known(s), model.spectra[s]) for s in "UV"}
    return kept[side]
