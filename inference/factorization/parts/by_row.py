"""Ratings sorted by user and by item, made once for each `Ratings` value."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
import torch
from jaxtyping import Float64, Int32
from numba import njit
from torch import Tensor

from errors import InputError
from models.factorization import Factorization
from models.ratings import Ratings
from ranks.part import WHOLE, Part


@dataclass(frozen=True, eq=False)
class Rows:
    """One side's ratings, row after row: those of row i are number indptr[i] .. indptr[i + 1].

    For users, `index` says which item was rated; for items, which user rated. `order` has the place of each in the
    ratings as given, and `weight` what it counts, in units of the noise precision; None: 1 each. Of items where users
    are divided among ranks they are the ratings by the users of `part`.
    """

    indptr: Int32[Tensor, "rows+1"]
    index: Int32[Tensor, "N"]
    rating: Float64[Tensor, "N"]
    order: Int32[Tensor, "N"]
    weight: Float64[Tensor, "N"] | None = None
    part: Part = WHOLE

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def counts(self) -> Tensor:
        """Ratings of every row, by the users that are here."""
        return self.indptr.diff()

    @cached_property
    def in_all(self) -> Tensor:
        """Ratings of every row."""
        return self.part.sum(self.counts)

    def working(self, rating: Tensor | None = None, weight: Tensor | None = None) -> Rows:
        """The same rows with other ratings and weights, (N,), in the order given: what a sampler puts in the place of
        the observed ones, anew in every sweep.
        """
        return replace(self, rating=self.rating if rating is None else rating.index_select(0, self.order),
                       weight=None if weight is None else weight.index_select(0, self.order))

    @cached_property
    def work(self) -> np.ndarray:
        """What a pass costs before each row, in ratings: a row by itself costs about as much as eight."""
        return self.indptr.numpy() + 8 * np.arange(len(self.indptr))

    def blocks(self, size: int) -> Iterator[tuple[slice, Rows]]:
        """At most `size` rows at a time."""
        for first in range(0, len(self), size):
            ends = self.indptr[first : first + size + 1]
            inside = slice(int(ends[0]), int(ends[-1]))
            yield slice(first, first + size), Rows(ends - ends[0], self.index[inside], self.rating[inside],
                                                   self.order[inside], None if self.weight is None
                                                   else self.weight[inside])

    def sums(self, table: Tensor, weight: Tensor | None = None) -> Tensor:
        """For every row, the sum of table[index], (columns, T), over all its ratings, weighted: (rows, T)."""
        weight = torch.ones_like(self.rating) if weight is None else weight
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
            matrix = torch.sparse_csr_tensor(self.indptr, self.index, weight, (len(self), len(table)),
                                             check_invariants=False)
            return self.part.sum(matrix @ table)


def check_plain(name: str, model: Factorization) -> None:
    """Errors: InputError for a model that has more to infer than U and V."""
    more = [site for site in model.sites if site not in ("U", "V")]
    if more:
        raise InputError(f"{name} infers U and V only, and this model also has {', '.join(more)}: take ladder_gibbs")


# Beside the ratings and no property of theirs: they may be changed in place, which their tensors' versions tell.
_sorted: WeakKeyDictionary[Ratings, tuple[tuple[int, ...], Rows, Rows]] = WeakKeyDictionary()


def sides(model: Factorization, data: Ratings) -> tuple[Rows, Rows]:
    """The ratings by user and by item. Errors: InputError for users or items that the model does not have."""
    model.check_data(data)
    return by_user_and_item(data)


def by_user_and_item(data: Ratings) -> tuple[Rows, Rows]:
    """The ratings by user and by item; sorted again only for another `data`, or one changed in place."""
    tensors = data.user, data.item, data.rating
    version = tuple(0 if t.is_inference() else t._version for t in tensors)
    kept = _sorted.get(data)
    if kept is None or kept[0] != version:
        given = bool((data.user[1:] >= data.user[:-1]).all())
        users = _as_given(data) if given else _by_row(data.user, data.item, data.rating, data.num_users)
        user = torch.arange(data.num_users, dtype=torch.int32, device=data.device).repeat_interleave(users.counts)
        items = _by_row(users.index, user, users.rating, data.num_items, users.order)  # so each item's users ascend
        items = replace(items, part=data.part)
        _sorted[data] = kept = version, users, items
    return kept[1:]


def _as_given(data: Ratings) -> Rows:
    """Those by user of ratings that are in that order: these themselves, without a copy."""
    order = torch.arange(len(data), dtype=torch.int32, device=data.device)
    return Rows(_ends(data.user, data.num_users), data.item.to(torch.int32), data.rating.to(torch.float64), order)


def _ends(row: Tensor, rows: int) -> Tensor:
    """Where each row's ratings end, and 0 before them."""
    indptr = torch.zeros(rows + 1, dtype=torch.int32, device=row.device)
    indptr[1:] = torch.bincount(row, minlength=rows).cumsum(0)
    return indptr


def _by_row(row: Tensor, column: Tensor, rating: Tensor, rows: int, place: Tensor | None = None) -> Rows:
    """Sorted by `row`, otherwise in the order given; `place` is that of each in the ratings as given."""
    place = torch.arange(len(row), dtype=torch.int32, device=row.device) if place is None else place
    indptr = _ends(row, rows)
    if row.device.type != "cpu":
        order = torch.argsort(row, stable=True)
        return Rows(indptr, column[order].to(torch.int32), rating[order].to(torch.float64), place[order])
    index, sorted_rating = torch.empty(len(row), dtype=torch.int32), torch.empty(len(row), dtype=torch.float64)
    order = torch.empty(len(row), dtype=torch.int32)
    _count_sort(row.numpy(), column.numpy(), rating.to(torch.float64).numpy(), place.numpy(),
                indptr[:-1].clone().numpy(), index.numpy(), sorted_rating.numpy(), order.numpy())
    return Rows(indptr, index, sorted_rating, order)


@njit(cache=True)
def _count_sort(row: np.ndarray, column: np.ndarray, rating: np.ndarray, place: np.ndarray, following: np.ndarray,
                index: np.ndarray, sorted_rating: np.ndarray, order: np.ndarray) -> None:
    """`following[i]` is where the next rating of row i goes: linear, where a sort by comparison is not."""
    for n in range(len(row)):
        at = following[row[n]]
        following[row[n]] = at + 1
        index[at] = column[n]
        sorted_rating[at] = rating[n]
        order[at] = place[n]
