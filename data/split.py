"""Ratings -> training, validation and test sets: by seed, or as somebody else's files give them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
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
        return unseen(self, "user")

    @property
    def unseen_items(self) -> int:
        return unseen(self, "item")


def unseen(parts: Split, side: str) -> int:
    count = getattr(parts.train, f"num_{side}s")
    train, test = (torch.bincount(getattr(ratings, side), minlength=count) for ratings in (parts.train, parts.test))
    return int(((test > 0) & (parts.train.part.sum(train) == 0)).sum())


def split(ratings: Ratings, fractions: Sequence[float] = REFERENCE, *, rng: torch.Generator) -> Split:
    """Every rating falls at random into train, validation or test, whose sizes are the rounded `fractions`.

    Within each set the ratings keep the order of `ratings`. Of a folder it is a hash of user, item and rating that is
    random, so that the ranks that have read it (`Ratings.scattered`) agree, however many they are; the training set
    stays with them. O(N).
    """
    fractions = check_fractions(fractions)
    N = ratings.total
    num_validation, num_test = round(fractions[1] * N), round(fractions[2] * N)
    num_train = N - num_validation - num_test
    if num_train < 1:
        raise InputError(f"splitting {N} ratings by {fractions} leaves none to train on")
    if ratings.ordered:
        turn = Turns(ratings, rng)
        part = turn.first(num_validation + num_test).to(torch.int8) * 2 - turn.first(num_validation).to(torch.int8)
    else:
        shuffled = torch.randperm(N, generator=rng, device=rng.device).to(ratings.device)
        part = torch.zeros(N, dtype=torch.int8, device=ratings.device)
        part[shuffled[num_train:num_train + num_validation]] = 1
        part[shuffled[num_train + num_validation:]] = 2
    train, validation, test = (ratings.take(part == k) for k in range(3))
    return Split(train.settled(), validation.gathered(), test.gathered())


class Turns:
    """Ratings that wait, on however many ranks, in an order that is random."""

    def __init__(self, ratings: Ratings, rng: torch.Generator) -> None:
        self.number = ratings.keyed(int(torch.randint(2**62, (), generator=rng, device=rng.device)))
        self.sum = ratings.part.sum

    def first(self, count: int) -> torch.Tensor:
        """A mask of the first `count`."""
        return self.number < self.nth(count)

    def nth(self, k: int) -> int:
        """The number that k others are below, 16 bits of it at a time."""
        found = 0
        for shift in (48, 32, 16, 0):
            here = self.number[self.number >> shift >> 16 == found] >> shift & 0xFFFF
            below = self.sum(torch.bincount(here, minlength=2**16)).cumsum(0)
            digit = int(torch.searchsorted(below, k, right=True))
            k, found = k - (int(below[digit - 1]) if digit else 0), found << 16 | digit
        return found


def subsample(ratings: Ratings, fraction: float, *, rng: torch.Generator) -> Ratings:
    """A random `fraction` of the ratings, in their order; users and items keep their numbers, rated or not."""
    if not 0 < fraction <= 1:
        raise InputError(f"the fraction of ratings to keep must be above 0 and at most 1, not {fraction}")
    if fraction == 1:
        return ratings
    if ratings.ordered:
        return ratings.take(Turns(ratings, rng).first(max(1, round(fraction * ratings.total)))).settled()
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
    train, test = to_ratings(triples, scale, how.duplicates, how.say, how.times)
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
    if len(fractions) != 3 or not all(isinstance(f, Real) and 0 <= f <= 1 for f in fractions) or not math.isclose(
            sum(fractions), 1):
        raise InputError(f"the fractions for train, validation and test must be three numbers from 0 to 1 that sum "
                         f"to 1, not {', '.join(map(str, fractions))}")
    if fractions[0] == 0:
        raise InputError("the fraction of ratings to train on must not be 0")
    return float(fractions[0]), float(fractions[1]), float(fractions[2])
