"""What a mistake with effects of time may depend on: how ratings fall on days and periods, and what else is learned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from checks.problems.factorization import coverage

Seen = Callable[[Any, Any], bool]  # of a model with time, and replicates of its data


def cells(side: str, of_row: Callable[[torch.Tensor], bool]) -> Seen:
    """Whether the numbers of cells of the users, or of the items, that have any are such."""
    def seen(m: Any, d: Any) -> bool:
        found = getattr(m.of_time.calendar, side)
        return of_row(torch.bincount(found.row, minlength=found.rows))

    return seen


def ratings(side: str, of_cell: Callable[[torch.Tensor], bool]) -> Seen:
    """Whether the numbers of ratings of the days, or of the periods, are such."""
    return lambda m, d: of_cell(getattr(m.of_time.calendar, side).count)


SHOWS: dict[str, Seen] = {
    "a user of one day": cells("user", lambda n: bool((n == 1).any())),
    "a user of several days": cells("user", lambda n: bool((n > 1).any())),
    "an item of one period": cells("item", lambda n: bool((n == 1).any())),
    "an item of several periods": cells("item", lambda n: bool((n > 1).any())),
    "a day with one rating": ratings("user", lambda n: bool((n == 1).any())),
    "a day with several ratings": ratings("user", lambda n: bool((n > 1).any())),
    "a period with one rating": ratings("item", lambda n: bool((n == 1).any())),
    "a period with several ratings": ratings("item", lambda n: bool((n > 1).any())),
    "more days than periods": lambda m, d: len(m.of_time.calendar.user) > len(m.of_time.calendar.item),
    "more periods than days": lambda m, d: len(m.of_time.calendar.user) < len(m.of_time.calendar.item),
    "a noise for every user": lambda m, d: m.noise_per_user, "one noise": lambda m, d: not m.noise_per_user,
    "learned priors": lambda m, d: m.hierarchical, "priors that are given": lambda m, d: not m.hierarchical,
    "biases": lambda m, d: m.biases, "no biases": lambda m, d: not m.biases,
    "units that are not 1": lambda m, d: m.unit != 1,
    **{name: coverage.SHOWS[name] for name in ("rank 1", "rank 2", "more users than items", "more items than users",
                                               "every user rated", "the first user unrated",
                                               "the first item unrated")},
}
