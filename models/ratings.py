"""Ratings as triples: what is observed of a factorization."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from errors import InputError
from models.model import fingerprint
from ranks import group
from ranks.part import WHOLE, Part

Pairs = tuple[Tensor, Tensor]  # (user, item), counted from 0
GOLDEN = 0x9E3779B97F4A7C15


@dataclass(frozen=True, eq=False, repr=False)
class Ratings:
    """Observed ratings as triples: `rating[n]` was given by `user[n]` to `item[n]`, counted from 0.

    `scale` is the lowest and highest possible rating; `user_ids[i]` and `item_ids[j]` are the names
    that the source gave to user i and item j. Where users are divided among ranks these are the ratings of `part`, and
    its users are counted from its first; or, if it was each rank that read its own (`scattered`), as all are.
    `ordered`: in the order of users and items, so that whatever is said of all is the same bytes however many ranks
    hold them. `time` says when, in seconds since 1970.
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
    ordered: bool = False
    time: Int64[Tensor, "N"] | None = None

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
        if self.time is not None and (self.time.shape != self.rating.shape or self.time.dtype != torch.int64):
            raise InputError(f"the times of {len(self)} ratings must be as many int64, seconds since 1970, not "
                             f"{self.time.dtype} of shape {tuple(self.time.shape)}")

    def __repr__(self) -> str:
        scale = f" from {self.scale[0]:g} to {self.scale[1]:g}" if self.scale else ""
        return f"Ratings({len(self):,}{scale}, by {self.num_users:,} users of {self.num_items:,} items)"

    def __len__(self) -> int:
        return len(self.rating)

    @property
    def device(self) -> torch.device:
        return self.rating.device

    @property
    def scattered(self) -> bool:
        """Whether each rank has read its own, and users are counted as all are."""
        return self.part.divided and self.num_users == self.part.bounds[-1]

    @cached_property
    def total(self) -> int:
        """How many there are on all ranks."""
        return self.part.count(len(self))

    @cached_property
    def ends(self) -> tuple[int, ...]:
        """Where each rank's begin, of scattered ones among all."""
        return (0, *accumulate(group.everyone(len(self))))

    def settled(self) -> Ratings:
        """The same, once all ranks that hold a part of them have said what one alone may ask for later."""
        if self.scattered:
            _ = self.total, self.ends, self.fingerprint
        return self

    @property
    def pairs(self) -> Pairs:
        """(user, item) of every rating."""
        return self.user, self.item

    @cached_property
    def fingerprint(self) -> str:
        """Of the triples in their order."""
        if not self.ordered:
            return fingerprint((*self.pairs, self.rating))
        sums = self.part.sum(torch.stack([self.keyed(key).sum() for key in (0, 1)]))
        return hashlib.sha256(f"{self.total} {sums.tolist()}".encode()).hexdigest()[:12]

    def keyed(self, key: int) -> Int64[Tensor, "N"]:
        """A number of each rating's own that looks random, from 0 and below 2^63."""
        pair = (self.user * self.num_items + self.item).cpu().numpy().view(np.uint64)
        value = self.rating.double().cpu().numpy().view(np.uint64)
        found = mixed(mixed(pair + np.uint64(GOLDEN * (key + 1) % 2**64)) + value)
        return torch.from_numpy((found >> np.uint64(1)).view(np.int64))

    @cached_property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest rating."""
        ends = tuple(float(x) for x in self.rating.aminmax()) if len(self) else (math.inf, -math.inf)
        lows, highs = zip(*(group.everyone(ends) if self.scattered else [ends]), strict=True)
        return min(lows), max(highs)

    @cached_property
    def mean(self) -> float:
        return self._mean(self.rating)

    @cached_property
    def variance(self) -> float:
        """About the mean, squared rating units."""
        return self._mean((self.rating - self.mean).square())

    def _mean(self, x: Tensor) -> float:
        """Of a number for each rating; of ordered ones by user first, as no two ranks have ratings of one user."""
        if not self.ordered:
            return float(x.mean())
        return float(self.part.sum(torch.bincount(self.user, x, minlength=self.num_users)).sum()) / self.total

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
        """How many, and which; when, if that is told."""
        found = {"ratings": self.total, "fingerprint": self.fingerprint}
        return found if self.time is None else found | {"times": fingerprint([self.time])}

    @property
    def untimed(self) -> Ratings:
        """The same without their times."""
        return self if self.time is None else replace(self, time=None)

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
        time = None if self.time is None else self.time.index_select(0, index)
        return replace(self, user=user, item=item, rating=rating, time=time)

    def of(self, part: Part) -> Ratings:
        """Those by the users of a part, who are counted from its first."""
        first, last = part.users.start, part.users.stop
        here = self.take((self.user >= first) & (self.user < last))
        return replace(here, user=here.user - first, num_users=last - first, user_ids=None, item_ids=None, part=part,
                       ordered=False)

    def in_order(self) -> Ratings:
        """The same ratings by user, those of one by item.

        >>> Ratings(torch.tensor([1, 0, 0]), torch.tensor([0, 2, 1]), torch.ones(3), 2, 3).in_order().pairs
        (tensor([0, 0, 1]), tensor([1, 2, 0]))
        """
        order = (self.user * self.num_items + self.item).argsort(stable=True)
        return replace(self.take(order), ordered=True)

    def every(self, step: int) -> Ratings:
        """One in so many of all, wherever these are."""
        first = -self.ends[self.part.rank] % step if self.scattered else 0
        return self if step == 1 else self.take(torch.arange(first, len(self), step, device=self.device)).settled()

    def gathered(self) -> Ratings:
        """Those of all ranks, on each of them."""
        if not self.scattered:
            return self
        user, item, rating = (torch.cat(group.everyone(x)) for x in (*self.pairs, self.rating))
        return replace(self, user=user, item=item, rating=rating, part=WHOLE)

    def to(self, device: torch.device | str) -> Ratings:
        time = None if self.time is None else self.time.to(device)
        return replace(self, user=self.user.to(device), item=self.item.to(device), rating=self.rating.to(device),
                       time=time)


def label_array(ids: Sequence[Any]) -> np.ndarray:
    """Ids as an array: whole numbers as such, text as objects.

    >>> label_array((7, 2**64 - 1)), label_array(("007", "7"))
    (array([                   7, 18446744073709551615], dtype=uint64), array(['007', '7'], dtype=object))
    """
    if any(isinstance(i, str) for i in ids):
        return np.array(ids, dtype=object)
    return np.array(ids, dtype=np.uint64 if len(ids) and max(ids) >= 2**63 else None)  # else NumPy makes it a float


def mixed(x: np.ndarray) -> np.ndarray:
    """splitmix64's finaliser of uint64 (Steele, Lea and Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
