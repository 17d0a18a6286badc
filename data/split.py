"""Ratings -> training, validation and test sets: by seed, or as somebody else's files give them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from data.rating_files import AS_IT_IS, Reading, read_triples
from data.rating_pairs import Scale, to_ratings
from errors import InputError
from models.ratings import Ratings

REFERENCE = (0.98, 0.01, 0.01)


@dataclass(frozen=True, eq=False)
class Split:
    """Three sets of ratings over the same users, items and ids; `validation` and `test` may be empty."""

    train: Ratings
    validation: Ratings
    test: Ratings

    @property
    def unseen_users(self) -> int:
        """How many users with ratings in `test` have none in `train`: they are predicted from the prior."""
        return unseen(self.train.user, self.test.user, self.train.num_users)

    @property
    def unseen_items(self) -> int:
        return unseen(self.train.item, self.test.item, self.train.num_items)


def unseen(train: torch.Tensor, test: torch.Tensor, count: int) -> int:
    seen = torch.bincount(train, minlength=count) > 0
    return int(((torch.bincount(test, minlength=count) > 0) & ~seen).sum())


def split(ratings: Ratings, fractions: Sequence[float] = REFERENCE, *, rng: torch.Generator) -> Split:
    """Every rating falls at random into train, validation or test, whose sizes are the rounded `fractions`.

    Within each set the ratings keep the order of `ratings`. O(N).
    """
    fractions = check_fractions(fractions)
    N = len(ratings)
    num_validation, num_test = round(fractions[1] * N), round(fractions[2] * N)
    num_train = N - num_validation - num_test
    if num_train < 1:
        raise InputError(f"splitting {N} ratings by {fractions} leaves none to train on")
    shuffled = torch.randperm(N, generator=rng, device=rng.device).to(ratings.device)
    part = torch.zeros(N, dtype=torch.int8, device=ratings.device)
    part[shuffled[num_train:num_train + num_validation]] = 1
    part[shuffled[num_train + num_validation:]] = 2
    return Split(*(ratings.take(part == k) for k in range(3)))


def subsample(ratings: Ratings, fraction: float, *, rng: torch.Generator) -> Ratings:
    """A random `fraction` of the ratings, in their order; users and items keep their numbers, rated or not."""
    if not 0 < fraction <= 1:
        raise InputError(f"the fraction of ratings to keep must be above 0 and at most 1, not {fraction}")
    if fraction == 1:
        return ratings
    keep = torch.randperm(len(ratings), generator=rng, device=rng.device)[:max(1, round(fraction * len(ratings)))]
    return ratings.take(keep.sort().values.to(ratings.device))


def read_split(
    train_path: str | Path, test_path: str | Path, scale: Scale | None = None, say: Callable[[str], None] = print,
    how: Reading = AS_IT_IS,
) -> Split:
    """A split given as two files (`u1.base` and `u1.test`), with one numbering of users and items.

    `how` is of both. Users and items that only the test file knows are kept, and `say` is told how many there are.
    """
    triples = [read_triples(train_path, how), read_triples(test_path, how, single=True)]
    train, test = to_ratings(triples, scale, how.duplicates, how.say)
    given = Split(train, test.take(torch.arange(0)), test)
    for what, count in (("user", given.unseen_users), ("item", given.unseen_items)):
        if count:
            say(f"{count} {what}{'s' * (count > 1)} of {Path(test_path).name} never occur{'s' * (count == 1)} in "
                f"{Path(train_path).name}: predicted from the prior")
    return given


def parse_fractions(text: str) -> tuple[float, float, float]:
    """'0.9,0,0.1' -> (0.9, 0.0, 0.1)."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"a split is three numbers, train,validation,test, as in 0.98,0.01,0.01, "
                         f"not '{text}'") from None
    return check_fractions(numbers)


def check_fractions(fractions: Sequence[float]) -> tuple[float, float, float]:
    if len(fractions) != 3 or not all(0 <= f <= 1 for f in fractions) or not math.isclose(sum(fractions), 1):
        raise InputError(f"the fractions for train, validation and test must be three numbers from 0 to 1 that sum "
                         f"to 1, not {', '.join(f'{f:g}' for f in fractions)}")
    if fractions[0] == 0:
        raise InputError("the fraction of ratings to train on must not be 0")
    return float(fractions[0]), float(fractions[1]), float(fractions[2])
