"""Ratings as triples: what is observed of a factorization."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from errors import InputError
from models.model import fingerprint
from ranks.part import WHOLE, Part

Pairs = tuple[Tensor, Tensor]  # (user, item), counted from 0


@dataclass(frozen=True, eq=False, repr=False)
class Ratings:
    """Observed ratings as triples: `rating[n]` was given by `user[n]` to `item[n]`, counted from 0.

    `scale` is the lowest and highest possible rating; `user_ids[i]` and `item_ids[j]` are the names
    that the source gave to user i and item j. Where users are divided among ranks these are the ratings of `part`, and
    its users are counted from its first.
    """

    user: Int64[Tensor, "N"]
    item: Int64[Tensor, "N"]
    rating: Float64[Tensor, "N"]
    num_users: int
    num_items: int
    scale: tuple[float, float] | None = None
    user_ids: Sequence[Any] | None = None
    item_ids: Sequence[Any] | None = None
    part: Part = WHOLE

    def __post_init__(self) -> None:
        if not (self.user.shape == self.item.shape == self.rating.shape) or self.rating.ndim != 1:
            raise InputError(f"ratings must be three vectors of one length, not of shapes {tuple(self.user.shape)}, "
                             f"{tuple(self.item.shape)} and {tuple(self.rating.shape)}")
        for name, index, count in (("user", self.user, self.num_users), ("item", self.item, self.num_items)):
            if index.dtype != torch.int64:
                raise InputError(f"the {name} of a rating must be an int64, not {index.dtype}")
            if len(index) and (int(index.min()) < 0 or int(index.max()) >= count):
                raise InputError(f"the {name}s of ratings must lie in 0..{count - 1}; "
                                 f"found {int(index.min())}..{int(index.max())}")
        if not self.rating.is_floating_point() or not bool(torch.isfinite(self.rating).all()):
            raise InputError("ratings must be finite floating-point numbers")

    def __repr__(self) -> str:
        scale = f" from {self.scale[0]:g} to {self.scale[1]:g}" if self.scale else ""
        return f"Ratings({len(self):,}{scale}, by {self.num_users:,} users of {self.num_items:,} items)"

    def __len__(self) -> int:
        return len(self.rating)

    @property
    def device(self) -> torch.device:
        return self.rating.device

    @cached_property
    def total(self) -> int:
        """How many there are on all ranks."""
        return self.part.count(len(self))

    @property
    def pairs(self) -> Pairs:
        """(user, item) of every rating."""
        return self.user, self.item

    @cached_property
    def fingerprint(self) -> str:
        """Of the triples in their order."""
        return fingerprint((*self.pairs, self.rating))

    @cached_property
    def order(self) -> Int64[Tensor, "N"]:
        """The positions of the ratings by user, those of one in the order given."""
        return torch.argsort(self.user, stable=True)

    @cached_property
    def by_user(self) -> Ratings:
        """The same ratings in that order, so that the rows of U are read one after another.

        >>> Ratings(torch.tensor([1, 0]), torch.tensor([0, 2]), torch.tensor([3.0, 4.0]), 2, 3).by_user.rating
        tensor([4., 3.])
        """
        return self if bool((self.user[1:] >= self.user[:-1]).all()) else self.take(self.order)

    @property
    def coords(self) -> dict[str, tuple[str, np.ndarray]]:
        """The names of users and items, for those axes of a result."""
        names = {"user": self.user_ids, "item": self.item_ids}
        return {side: (side, label_array(ids)) for side, ids in names.items() if ids is not None}

    @property
    def facts(self) -> dict[str, Any]:
        """How many, and which."""
        return {"ratings": len(self), "fingerprint": self.fingerprint}

    def check_batch(self, size: int) -> int:
        """`size`. Errors: InputError where a minibatch of these ratings cannot have it."""
        if not 1 <= size <= self.total:
            raise InputError(f"a batch must hold between 1 and {self.total} ratings, all there are, not {size}")
        return size

    def take(self, index: Tensor) -> Ratings:
        """The ratings at `index` (positions or a mask), of the same users, items and scale.

        >>> ratings = Ratings(torch.tensor([0, 0, 1]), torch.tensor([0, 2, 1]), torch.tensor([5.0, 1.0, 3.0]), 2, 3)
        >>> ratings.take(ratings.rating > 2).pairs
        (tensor([0, 1]), tensor([0, 1]))
        """
        index = index.nonzero()[:, 0] if index.dtype == torch.bool else index
        user, item, rating = (column.index_select(0, index) for column in (*self.pairs, self.rating))
        return replace(self, user=user, item=item, rating=rating)

    def of(self, part: Part) -> Ratings:
        """Those by the users of a part, who are counted from its first."""
        first, last = part.users.start, part.users.stop
        here = self.take((self.user >= first) & (self.user < last))
        return replace(here, user=here.user - first, num_users=last - first, user_ids=None, item_ids=None, part=part)

    def to(self, device: torch.device | str) -> Ratings:
        return replace(self, user=self.user.to(device), item=self.item.to(device), rating=self.rating.to(device))


def label_array(ids: Sequence[Any]) -> np.ndarray:
    """Ids as an array: whole numbers as such, text as objects.

    >>> label_array((7, 2**64 - 1)), label_array(("007", "7"))
    (array([                   7, 18446744073709551615], dtype=uint64), array(['007', '7'], dtype=object))
    """
    if any(isinstance(i, str) for i in ids):
        return np.array(ids, dtype=object)
    return np.array(ids, dtype=np.uint64 if len(ids) and max(ids) >= 2**63 else None)  # else NumPy makes it a float
