"""Test problems with effects of time: users of one day and of several, items of one period and of several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import torch

from checks.problems.factorization.problems import (
    ALL_OF_FIVE_BY_THREE,
    FOUR_BY_FIVE,
    FOUR_BY_SIX,
    THREE_BY_FOUR,
    fitting,
    pairs,
)
from checks.problems.ladder.problems import problem
from checks.problems.problem import Problem, ProblemSet
from checks.problems.time.coverage import SHOWS
from checks.problems.time.features import free, normal
from models.ladder import Ladder
from models.ordinal import Ordinal, OrdinalTimed
from models.ratings import Ratings
from models.rungs.time import DAY
from models.timed import Timed, dated


def problems() -> list[Problem]:
    """The test problems, the most telling first."""
    found: tuple[Problem[Any], ...] = (
        problem("4 users x 5 items, rank 1, users of two days", timed(Ladder(
            4, 5, 1, prior_variance=1.3, pairs=pairs(FOUR_BY_FIVE), noise=True), (0, 0, 1, 1, 0, 1, 1, 0, 0, 25))),
        problem("5 users x 3 items, rank 2, users of one day, items of several periods", timed(Ladder(
            5, 3, 2, prior_variance=0.8, pairs=pairs(ALL_OF_FIVE_BY_THREE), noise=True),
            (0, 0, 21, 21, 40, 61, 61, 80))),
        *(replace(p, brief=True) for p in (
            problem("3 users x 4 items, rank 1, a noise for every user, biases", timed(Ladder(
                3, 4, 1, prior_variance=0.9, pairs=pairs(THREE_BY_FOUR), noise=True, noise_per_user=True, biases=True),
                (3, 3, 4, 30, 5, 5))),
            problem("3 users x 4 items, rank 1, learned priors and biases, ratings near 70 in units of 20, days", timed(
                Ladder(3, 4, 1, pairs=pairs(THREE_BY_FOUR), noise=True, hierarchical=True, biases=True, centre=70.0,
                       unit=20.0), (0, 1, 1, 0, 22, 22))),
            problem("4 users x 6 items, rank 2, the first and the last of both unrated", timed(Ladder(
                4, 6, 2, prior_variance=1.1, pairs=pairs(FOUR_BY_SIX), noise=True), (7, 7, 8, 30, 7, 8))),
        )))
    return [replace(p, free=free, normal=normal) for p in found]


def timed(model: Ladder, days: Sequence[int]) -> Timed:
    """With the ratings at its pairs on these days."""
    assert model.pairs is not None
    times = DAY * torch.tensor(days)
    zero = torch.zeros(len(times), dtype=torch.float64)
    kind = OrdinalTimed if isinstance(model, Ordinal) else Timed
    return dated(kind(**{f.name: getattr(model, f.name) for f in fields(model)}, times=times),
                 Ratings(*model.pairs, zero, model.num_users, model.num_items, time=times))


SET = ProblemSet("time", "factorization", "Problem 3", "--problem 3 --model time (factorizations)", problems, fitting,
                 richer=True, apart=True, shows=SHOWS)
