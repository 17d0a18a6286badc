"""What a mistake with features may depend on: which features there are, on which side, beside what else is learned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from checks.problems.factorization import coverage

Seen = Callable[[Any, Any], bool]  # of a model with features, and replicates of its data


def size(side: str, wide: bool) -> Seen:
    """Whether a side has more features than rows, or fewer and some."""
    return lambda m, d: (m.known(side).shape[1] > m.known(side).shape[0] if wide else
                         0 < m.known(side).shape[1] <= m.known(side).shape[0])


SHOWS: dict[str, Seen] = {
    "who rated what alone": lambda m, d: m.implicit and not (m.user_known or m.item_known),
    "files alone": lambda m, d: not m.implicit,
    "who rated what and files": lambda m, d: m.implicit and bool(m.user_known and m.item_known),
    "a side without features": lambda m, d: not all(m.known(side).shape[1] for side in "UV"),
    "more features than users": size("U", wide=True), "more features than items": size("V", wide=True),
    "at most as many features as users": size("U", wide=False),
    "at most as many features as items": size("V", wide=False),
    "learned noise": lambda m, d: m.noise, "noise that is given": lambda m, d: not m.noise,
    "biases": lambda m, d: m.biases, "no biases": lambda m, d: not m.biases,
    **{name: coverage.SHOWS[name] for name in ("rank 1", "rank 2", "more users than items", "more items than users",
                                               "every user rated", "a user in the middle unrated",
                                               "the first item unrated")},
}
