"""What a mistake where more is learned may depend on: what is learned, alone and together, and what ratings may be."""

from __future__ import annotations

from checks.problems.factorization import coverage
from checks.problems.factorization.coverage import Seen
from models.ladder import RUNGS


def learned(*rungs: str) -> Seen:
    """Whether just these rungs of the ladder are there."""
    return lambda m, d: [rung for rung in RUNGS if getattr(m, rung.replace("-", "_"), False)] == list(rungs)


ROWS = ("rank 1", "rank 2", "more users than items", "more items than users", "an item with one rating",
        "a user with one rating", "a user in the middle unrated", "the first user unrated", "the last user unrated",
        "the first item unrated", "the last item unrated", "every user rated", "every item rated",
        "ratings in the order of the users", "ratings out of the order of the users")
SHOWS: dict[str, Seen] = {
    "learned noise alone": learned("noise"),
    "learned priors alone": learned("hierarchical"),
    "biases alone": learned("biases"),
    "learned noise and priors": learned("noise", "hierarchical"),
    "learned noise, priors and biases": learned("noise", "hierarchical", "biases"),
    "a noise for every user": learned("noise", "noise-per-user"),
    "a noise for every user, priors and biases": learned("noise", "hierarchical", "biases", "noise-per-user"),
    "nothing learned but the rows": learned(),
    **{name: coverage.SHOWS[name] for name in ROWS},
}
