"""What a mistake with ordered levels may depend on: how many there are, which occur, what else is learned."""

from __future__ import annotations

from checks.problems.factorization import coverage
from checks.problems.features.coverage import Seen


def count(levels: int) -> Seen:
    return lambda m, d: len(m.levels) == levels


SHOWS: dict[str, Seen] = {
    "two levels": count(2), "three levels": count(3), "four levels": count(4),
    "levels that are not evenly spaced": lambda m, d: len({b - a for a, b in zip(m.levels, m.levels[1:],
                                                                                  strict=False)}) > 1,
    "a level that nobody gave": lambda m, d: any(
        not (d.rating == level).any(-1).all() for level in m.levels),
    "all ratings of one level": lambda m, d: bool((d.rating == d.rating[:, :1]).all(-1).any()),
    "effects of time": lambda m, d: hasattr(m, "of_time"), "no effects of time": lambda m, d: not hasattr(m, "of_time"),
    "biases": lambda m, d: m.biases, "no biases": lambda m, d: not m.biases,
    "learned priors": lambda m, d: m.hierarchical, "priors that are given": lambda m, d: not m.hierarchical,
    **{name: coverage.SHOWS[name] for name in ("rank 1", "rank 2", "more users than items", "more items than users",
                                               "every user rated")},
}
