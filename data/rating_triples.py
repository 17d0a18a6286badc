"""Ratings as a source gives them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from data.rating_sheet import Words
from data.rating_time import Times


@dataclass(frozen=True, eq=False)
class Triples:
    """Ratings as a source gives them: original ids, nothing checked.

    `where(n)` says where rating n stands ("u.data, line 17"), for sentences about it. `scale` is set where
    the layout itself tells it.
    """

    name: str
    user: Words
    item: Words
    rating: np.ndarray  # (N,) float64
    where: Callable[[int], str]
    time: Times | None = None
    scale: tuple[float, float] | None = None
    columns: str = ""  # those taken, in words
    certain: bool = False  # whether somebody named them

    def take(self, rows: np.ndarray) -> Triples:
        time = None if self.time is None else self.time.take(rows)
        return Triples(self.name, self.user.take(rows), self.item.take(rows), self.rating[rows],
                       lambda n: self.where(int(rows[n])), time, self.scale, self.columns, self.certain)
