"""What a mistake on ratings may depend on, and how it is seen of a model and some replicates of its ratings."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from checks.problems.factorization.replicates import Replicates
from models.factorization import Factorization

Seen = Callable[[Factorization, Replicates], bool]


def of_rows(noun: str, a: str, counts: Callable[[Replicates], Tensor]) -> dict[str, Seen]:
    """What may be so of users, and of items, by how many ratings each has."""
    return {
        f"the first {noun} unrated": lambda m, d: bool(counts(d)[0] == 0),
        f"the last {noun} unrated": lambda m, d: bool(counts(d)[-1] == 0),
        f"{a} in the middle unrated": lambda m, d: bool((counts(d)[1:-1] == 0).any()),
        f"every {noun} rated": lambda m, d: bool((counts(d) > 0).all()),
        f"{a} with one rating": lambda m, d: bool((counts(d) == 1).any()),
        f"{a} with fewer ratings than the rank": lambda m, d: bool(((counts(d) > 0) & (counts(d) < m.rank)).any()),
        f"{a} with more ratings than the rank": lambda m, d: bool((counts(d) > m.rank).any()),
    }


def by_user(data: Replicates) -> Tensor:
    return torch.bincount(data.user, minlength=data.num_users)


def by_item(data: Replicates) -> Tensor:
    return torch.bincount(data.item, minlength=data.num_items)


def equal_ratings(data: Replicates) -> bool:
    """Whether two ratings of a replicate are the same number."""
    return bool((data.rating.sort(-1).values.diff(dim=-1) == 0).any())


SHOWS: dict[str, Seen] = {
    "rank 1": lambda m, d: m.rank == 1,
    "rank 2": lambda m, d: m.rank == 2,
    "rank 3": lambda m, d: m.rank == 3,
    "more users than items": lambda m, d: m.num_users > m.num_items,
    "more items than users": lambda m, d: m.num_items > m.num_users,
    **of_rows("user", "a user", by_user),
    **of_rows("item", "an item", by_item),
    "ratings in the order of the users": lambda m, d: bool((d.user.diff() >= 0).all()),
    "ratings out of the order of the users": lambda m, d: bool((d.user.diff() < 0).any()),
    "two ratings that are equal": lambda m, d: equal_ratings(d),
    "a rating of exactly 0": lambda m, d: bool((d.rating == 0).any()),
    "noise larger than the prior's spread": lambda m, d: m.noise_variance > m.prior_variance,
    "noise smaller than the prior's spread": lambda m, d: m.noise_variance < m.prior_variance,
}
