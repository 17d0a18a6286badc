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
    test_nll_error: float | None  # standard errors over the test ratings
    test_rmse_error: float | None
    seconds_to_1_percent: float | None  # of the best ELBO, or of what a point maximises

    @classmethod
    def fitted(cls, result: Result, rank: int, num_ratings: int, test: np.ndarray | None = None, **more: Any) -> Self:
        """From the result, the ratings of its test set, if they are at hand, and `more` for the fields that a problem
        adds."""
        elbo = result.final("elbo")
        return cls.of(result, rank=rank, elbo_per_rating=None if elbo is None else elbo / num_ratings,
                      **{name: score(result, name) for name in SCORES}, **errors(result, test),
                      seconds_to_1_percent=seconds_to(result, 0.01), **more)


def score(result: Result, name: str) -> float | None:
    """One of SCORES; None where the set is empty."""
    return float(result.expected[name]) if name in result.expected else None


def errors(result: Result, test: np.ndarray | None) -> dict[str, float | None]:
    """Standard errors of the NLL, sd / sqrt(n) of the log densities, and of the RMSE, by the delta method from that of
    the squared errors; None where there are not two test ratings."""
    found: dict[str, float | None] = {"test_nll_error": None, "test_rmse_error": None}
    density, mean = (result.expected.get(f"test_{name}") for name in ("log_density", "mean"))
    if density is not None and len(density) > 1:
        found["test_nll_error"] = float(density.std(ddof=1)) / len(density) ** 0.5
    if mean is not None and test is not None and len(test) == len(mean) > 1:
        squares = (test - mean) ** 2
        if squares.any():
            found["test_rmse_error"] = float(squares.std(ddof=1) / len(test) ** 0.5 / (2 * squares.mean() ** 0.5))
    return found


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
