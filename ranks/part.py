"""Which users are whose: a process (a rank) has a contiguous range of them, with their ratings and rows of U."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from errors import InputError
from ranks import group


@dataclass(frozen=True)
class Part:
    """The users bounds[rank] .. bounds[rank + 1] of bounds[-1]. Without bounds all of them, on the only rank: then a
    sum over the ranks is its argument, the same bytes.
    """

    bounds: tuple[int, ...] = ()
    rank: int = 0

    @property
    def divided(self) -> bool:
        return bool(self.bounds)

    @property
    def users(self) -> slice:
        """This rank's, of a divided one."""
        return slice(self.bounds[self.rank], self.bounds[self.rank + 1])

    def total(self, own: int) -> int:
        """Users in all, where this rank has so many."""
        return self.bounds[-1] if self.divided else own

    def sum(self, x: Tensor) -> Tensor:
        """The sum over all ranks, on each of them the same bytes."""
        return group.total(x) if self.divided else x

    def mean(self, x: Tensor) -> Tensor:
        """Of the users' rows x, (users, ...)."""
        return self.sum(x.sum(0)) / self.total(len(x))

    def count(self, own: int) -> int:
        """The sum over all ranks of a number each has."""
        return int(self.sum(torch.tensor(own))) if self.divided else own

    def all(self, own: Tensor) -> Tensor:
        """Of a number for each of this rank's users that of all users, on every rank."""
        if not self.divided:
            return own
        found = own.new_zeros(self.bounds[-1])
        found[self.users] = own
        return self.sum(found)

    def own(self, rows: Tensor) -> Tensor:
        """This rank's of all users' rows."""
        return rows[self.users] if self.divided else rows


WHOLE = Part()


def divide(ratings: Sequence[int] | np.ndarray, ranks: int, rank: int) -> Part:
    """Users in contiguous ranges of nearly the same work; `ratings` are the users' numbers of them, and a user is as
    much work by itself as eight. Errors: InputError where there are more ranks than users.

    >>> divide([100, 1, 1, 1, 90], 2, 0).bounds
    (0, 2, 5)
    """
    users = len(ratings)
    if ranks > users:
        raise InputError(f"{ranks} ranks are more than the {users} users that are divided among them: "
                         f"start at most {users}")
    work = np.cumsum(np.asarray(ratings) + 8)
    cuts = np.searchsorted(work, work[-1] * np.arange(1, ranks) / ranks)
    for k in range(ranks - 1):  # everybody has a user
        cuts[k] = min(max(cuts[k], cuts[k - 1] + 1 if k else 1), users - ranks + k + 1)
    return Part((0, *(int(cut) for cut in cuts), users), rank)
