"""A fit's line of `summary.json`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from inference.result import Result
from runs.records import Entry

SCORES = ("train_nll", "validation_nll", "test_nll", "test_rmse")


@dataclass(frozen=True)
class RatingsEntry(Entry):
    """NLLs and the ELBO in nats per rating of their set, the RMSE in rating units."""

    rank: int
    elbo_per_rating: float | None
    train_nll: float | None
    validation_nll: float | None
    test_nll: float | None
    test_rmse: float | None
    seconds_to_1_percent: float | None  # of the best ELBO, or of what a point maximises

    @classmethod
    def fitted(cls, result: Result, rank: int, num_ratings: int, **more: Any) -> Self:
        """From the result, and `more` for the fields that a problem adds."""
        elbo = result.final("elbo")
        return cls.of(result, rank=rank, elbo_per_rating=None if elbo is None else elbo / num_ratings,
                      **{name: score(result, name) for name in SCORES},
                      seconds_to_1_percent=seconds_to(result, 0.01), **more)


def score(result: Result, name: str) -> float | None:
    """One of SCORES; None where the set is empty."""
    return float(result.expected[name]) if name in result.expected else None


def seconds_to(result: Result, share: float) -> float | None:
    """Seconds of fitting until the ELBO (or what a point maximises) is within `share` of its best, relative."""
    name = next((n for n in ("elbo", "objective") if n in result.trace), None)
    if name is None:
        return None
    values = result.trace[name].mean(0)
    if not np.isfinite(values).any():
        return None
    best = np.nanmax(values)
    reached = int(np.argmax(values >= best - share * abs(best)))
    return float(result.seconds.mean(0)[: reached + 1].sum())


def by_name(results: Sequence[Result]) -> dict[str, Result]:
    return {result.name: result for result in results}
