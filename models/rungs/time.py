"""Effects of time: of a user on a day, as moods change, and of an item in a period of 20 days, as fashions do.

    e_c ~ N(0, 1 / t)        c = 1..cells, those in which there is a training rating: t = precision_day of the users'
    t   ~ Gamma(2, 0.2)      days, precision_period of the items' periods, each its own; E[1 / t] = 0.2

in standard units, in which the ratings' variance is 1. What is added to the mean of a rating, and to its variance:

    e_c of its user's day and its item's period      a cell that has training ratings; nothing to the variance
    0 and 1 / t                                      a cell that has none
    mean and variance of e over the row's cells,     a rating whose time is not told: it is taken to be at one of the
    each as often as it has training ratings         times at which its user, and its item, were rated

Source: Koren (2009), Collaborative filtering with temporal dynamics: b_u,t and b_i,Bin(t).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Bool, Int64
from torch import Tensor
from torch.distributions import Gamma, Normal

from errors import InputError
from models.densities import gamma
from models.model import Latents, fingerprint
from models.ratings import Ratings

SHAPE, RATE = 2.0, 0.2
DAY = 86_400  # seconds
PERIOD = 20  # days
FARTHEST = 10**7  # days from 1970


@dataclass(frozen=True, eq=False)
class Cells:
    """The pairs of a user (or an item) and a period in which there are training ratings, in the order of both.

    `side` is "user" or "item", of which there are `rows`; a period has so many `days`; `count` are ratings.
    """

    side: str
    rows: int
    days: int
    row: Int64[Tensor, "cells"]
    period: Int64[Tensor, "cells"]
    count: Int64[Tensor, "cells"]

    @classmethod
    def of(cls, side: str, ratings: Ratings, rows: int, days: int) -> Cells:
        row, period = getattr(ratings, side), periods(ratings, days)
        first = int(period.min())
        span = int(period.max()) - first + 1
        key, count = torch.unique(row * span + period - first, return_counts=True)
        return cls(side, rows, days, key.div(span, rounding_mode="floor"), first + key % span, count)

    @classmethod
    def none(cls, side: str, rows: int, days: int) -> Cells:
        """Of rows without ratings: the one cell is of a row beyond them."""
        return cls(side, rows + 1, days, torch.tensor([rows]), torch.tensor([0]), torch.tensor([1]))

    def __len__(self) -> int:
        return len(self.row)

    @property
    def sites(self) -> tuple[str, str]:
        """Of the effects, and of their precision."""
        return ("user_day", "precision_day") if self.side == "user" else ("item_period", "precision_period")

    @property
    def sound(self) -> bool:
        """Whether these are cells of so many rows, each once, in their order, with ratings."""
        key = self.row * self.ends[1] + self.period
        return bool((self.row >= 0).all() and (self.row < self.rows).all() and (self.count > 0).all()
                    and (self.period.abs() < FARTHEST).all() and (key.diff() > 0).all())

    @cached_property
    def ends(self) -> tuple[int, int]:
        """The first period, and how many there are to the last."""
        first = int(self.period.min())
        return first, int(self.period.max()) - first + 1

    def places(self, at: Ratings) -> Places:
        """Which cell each rating is in."""
        first, span = self.ends
        period = periods(at, self.days) - first
        key, mine = getattr(at, self.side) * span + period, self.row * span + self.period - first
        place = torch.searchsorted(mine, key).clamp(max=len(mine) - 1)
        nowhere = (mine[place] != key) | (period < 0) | (period >= span)
        return Places(place, nowhere if bool(nowhere.any()) else None)

    @cached_property
    def shares(self) -> tuple[Tensor, Tensor]:
        """The ratings of each row, (rows,), and each cell's share of its row's, (cells,)."""
        total = torch.bincount(self.row, self.count.double(), self.rows)
        return total, self.count / total[self.row]

    def usual(self, effect: Tensor, precision: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of the effects of each row, weighted by their ratings, both (..., rows); of a row without
        ratings those of the prior."""
        (total, share), zero = self.shares, effect.new_zeros(*effect.shape[:-1], self.rows)
        mean, square = (zero.index_add(-1, self.row, share * x) for x in (effect, effect.square()))
        return mean, torch.where(total > 0, (square - mean.square()).clamp(min=0), 1 / precision[..., None])

    def to(self, device: torch.device | str) -> Cells:
        return Cells(self.side, self.rows, self.days, *(x.to(device) for x in (self.row, self.period, self.count)))


@dataclass(frozen=True, eq=False)
class Places:
    """The cells of ratings, (N,), which mean nothing where they are `nowhere`; None: all are somewhere."""

    cell: Int64[Tensor, "N"]
    nowhere: Bool[Tensor, "N"] | None

    @property
    def missing(self) -> int:
        """How many are in no cell."""
        return 0 if self.nowhere is None else int(self.nowhere.sum())


def periods(at: Ratings, days: int) -> Tensor:
    """Which period of so many days each rating is in, counted from 1970."""
    assert at.time is not None
    return at.time.div(days * DAY, rounding_mode="floor")


@dataclass(frozen=True, eq=False)
class Calendar:
    """The users' days and the items' periods of the training ratings."""

    user: Cells
    item: Cells

    @classmethod
    def of(cls, ratings: Ratings) -> Calendar:
        """Errors: InputError for ratings without times, or all of one day."""
        if ratings.time is None or not len(ratings):
            raise InputError("time needs to know when each rating was given, and these ratings do not say it: name the "
                             "column, --columns user=...,item=...,rating=...,time=... (in Python "
                             "load_ratings(..., times=True)), or leave time out")
        found = cls(Cells.of("user", ratings, ratings.num_users, 1),
                    Cells.of("item", ratings, ratings.num_items, PERIOD))
        if found.user.ends[1] == 1:
            raise InputError(f"all ratings are of one day, so that time says nothing: their times run from "
                             f"{int(ratings.time.min())} to {int(ratings.time.max())} and should be seconds since "
                             f"1970, or dates; leave time out")
        return found

    @property
    def sides(self) -> tuple[Cells, Cells]:
        return self.user, self.item

    @property
    def fingerprint(self) -> str:
        return fingerprint([x for cells in self.sides for x in (cells.row, cells.period, cells.count)])

    @cached_property
    def _found(self) -> WeakKeyDictionary[Ratings, tuple[Places, Places]]:
        return WeakKeyDictionary()

    def places(self, at: Ratings) -> tuple[Places, Places] | tuple[None, None]:
        """Of both sides which cells these ratings are in, looked up once; None where their times are not told."""
        if at.time is None:
            return None, None
        found = self._found.get(at)
        if found is None:
            self._found[at] = found = self.user.places(at), self.item.places(at)
        return found

    def to(self, device: torch.device | str) -> Calendar:
        return Calendar(self.user.to(device), self.item.to(device))


@dataclass(frozen=True)
class Time:
    """The sites user_day and item_period, (cells,), and their precisions precision_day and precision_period, ()."""

    calendar: Calendar

    @property
    def sites(self) -> dict[str, tuple[int, ...]]:
        found: dict[str, tuple[int, ...]] = {}
        for cells in self.calendar.sides:
            effect, precision = cells.sites
            found |= {precision: (), effect: (len(cells),)}
        return found

    def prior(self, rng: torch.Generator) -> Latents:
        found: Latents = {}
        for cells in self.calendar.sides:
            effect, precision = cells.sites
            t = gamma(rng, torch.tensor(SHAPE, dtype=torch.float64, device=rng.device)) / RATE
            z = torch.randn(len(cells), generator=rng, dtype=torch.float64, device=rng.device)
            found |= {precision: t, effect: z * t.rsqrt()}
        return found

    def log_prior(self, latents: Latents) -> Tensor:
        total = torch.zeros((), dtype=torch.float64, device=self.calendar.user.row.device)
        for effect, precision in (cells.sites for cells in self.calendar.sides):
            t = latents[precision]
            shape, rate = t.new_tensor([SHAPE, RATE])
            total = total + Gamma(shape, rate, validate_args=False).log_prob(t)
            each = Normal(0.0, t.rsqrt()[..., None], validate_args=False)
            total = total + each.log_prob(latents[effect]).sum(-1)
        return total

    def program(self, zero: Tensor) -> Latents:
        import pyro
        import pyro.distributions as dist

        found: Latents = {}
        for cells in self.calendar.sides:
            effect, precision = cells.sites
            t = pyro.sample(precision, dist.Gamma(zero + SHAPE, zero + RATE))
            each = dist.Normal(zero, t.rsqrt()).expand([len(cells)]).to_event(1)
            found |= {precision: t, effect: pyro.sample(effect, each)}
        return found

    def effects(self, latents: Latents, at: Ratings) -> Tensor:
        """What is added to the means of these ratings, (..., N)."""
        found = []
        for cells, place in zip(self.calendar.sides, self.calendar.places(at), strict=True):
            effect, precision = (latents[site] for site in cells.sites)
            if place is None:
                found.append(cells.usual(effect, precision)[0].index_select(-1, getattr(at, cells.side)))
            elif place.nowhere is None:
                found.append(effect.index_select(-1, place.cell))
            else:
                found.append(torch.where(place.nowhere, 0.0, effect.index_select(-1, place.cell)))
        return found[0] + found[1]

    def unknown(self, latents: Latents, at: Ratings) -> Tensor | None:
        """What is added to their variances, (..., N); None where all their cells are known."""
        found = []
        for cells, place in zip(self.calendar.sides, self.calendar.places(at), strict=True):
            effect, precision = (latents[site] for site in cells.sites)
            if place is None:
                found.append(cells.usual(effect, precision)[1].index_select(-1, getattr(at, cells.side)))
            elif place.nowhere is not None:
                found.append(place.nowhere / precision[..., None])
        return sum(found[1:], found[0]) if found else None
