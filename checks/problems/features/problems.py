"""Test problems with features: of who rated what, of files, of both, of one side; small, so that looks are fast."""

from __future__ import annotations

from dataclasses import fields, replace

import torch

from checks.problems.factorization.problems import ALL_OF_FIVE_BY_THREE, THREE_BY_FOUR, fitting, pairs
from checks.problems.features.coverage import SHOWS
from checks.problems.ladder.problems import problem
from checks.problems.problem import Problem, ProblemSet
from models.features import Featured, informed
from models.ladder import Ladder
from models.side_information import Column, Encoding, Known

FOUR_BY_THREE = ((0, 1), (0, 2), (1, 1), (1, 2), (3, 1))  # user 2 and item 0 unrated


def problems() -> list[Problem]:
    """The test problems, the most telling first."""
    return [
        problem("4 users x 3 items, rank 1, learned noise and priors, who rated what", featured(Ladder(
            4, 3, 1, pairs=pairs(FOUR_BY_THREE), noise=True, hierarchical=True))),
        problem("5 users x 3 items, rank 2, learned priors, a file about users", featured(Ladder(
            5, 3, 2, noise_variance=0.6, pairs=pairs(ALL_OF_FIVE_BY_THREE), hierarchical=True), implicit=False,
            users=2)),
        *(replace(p, brief=True) for p in (
            problem("3 users x 4 items, rank 1, learned noise and priors, who rated what and files", featured(Ladder(
                3, 4, 1, pairs=pairs(THREE_BY_FOUR), noise=True, hierarchical=True), users=1, items=1)),
            problem("3 users x 4 items, rank 1, learned noise, priors and biases, files", featured(Ladder(
                3, 4, 1, pairs=pairs(THREE_BY_FOUR), noise=True, hierarchical=True, biases=True), implicit=False,
                users=2, items=6)),
        ))]


def featured(model: Ladder, implicit: bool = True, users: int = 0, items: int = 0) -> Featured:
    """With the implicit features of its pairs, and so many of files, drawn once."""
    rng = torch.Generator().manual_seed(0)
    own = {f.name: getattr(model, f.name) for f in fields(model)}
    for name, rows, count in (("user_known", model.num_users, users), ("item_known", model.num_items, items)):
        if count:
            values = torch.randn(rows, count, generator=rng, dtype=torch.float64)
            own[name] = Known(values, Encoding(tuple(Column(f"column {k}") for k in range(count))))
    assert model.pairs is not None
    return informed(Featured(**own, implicit=implicit), model.pairs)


SET = ProblemSet("features", "factorization", "Problem 3", "--problem 3 --model features (factorizations)", problems,
                 fitting, richer=True, apart=True, shows=SHOWS)
