"""Problem 3's lines of `summary.json`."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.ratings.entries import RatingsEntry


@dataclass(frozen=True)
class ChainEntry(RatingsEntry):
    """A line of `summary.json`: R-hat and effective samples of the worst prediction, and of the log joint."""

    rhat: float | None
    ess_bulk: float | None
    ess_tail: float | None
    ess_per_second: float | None
    rhat_log_joint: float | None
    ess_log_joint: float | None
    share: float  # of the training set


@dataclass(frozen=True)
class RealEntry(RatingsEntry):
    """A line about real ratings."""

    share: float
    data: str


@dataclass(frozen=True)
class LadderEntry(RealEntry):
    """A line about a model on real ratings."""

    model: str
