"""Extremes of ratings keep working or are named: every method, finite, or one sentence."""

import numpy as np
import pytest
import torch

from errors import InputError
from inference import load
from inference.drive import drive
from inference.job import Plan
from inference.method import Family
from models.factorization import Factorization
from models.ratings import Ratings
from runs.task import Task, trial

METHODS = load.names("factorization")
SLOW = (*(n for n in METHODS if n.endswith("_pyro")), "score_function", "elbo_by_hand", "sgld")


def ratings(pairs: list[tuple[int, int]], values: list[float], users: int, items: int) -> Ratings:
    user, item = torch.tensor(pairs).T
    return Ratings(user, item, torch.tensor(values, dtype=torch.float64), users, items)


CASES = {
    "one rating": (ratings([(0, 0)], [3.0], 1, 1), 1),
    "one user with many": (ratings([(0, j) for j in range(500)], [j % 5 + 1.0 for j in range(500)], 1, 500), 2),
    "all equal": (ratings([(i, j) for i in range(5) for j in range(4)], [3.0] * 20, 5, 4), 2),
    "all nought": (ratings([(i, j) for i in range(5) for j in range(4)], [0.0] * 20, 5, 4), 2),
    "1e-6": (ratings([(i, i % 3) for i in range(6)], [1e-6 * i for i in range(6)], 6, 3), 2),
    "1e4": (ratings([(i, i % 3) for i in range(6)], [1e4 * i for i in range(6)], 6, 3), 2),
    "rank 150": (ratings([(i, j) for i in range(3) for j in range(i, 150, 3)], [2.0] * 150, 3, 150), 150),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in SLOW else []) for n in METHODS])
def test_an_extreme_is_answered_or_named(name, case):
    data, rank = CASES[case]
    method, model = load.method("factorization", name), Factorization(data.num_users, data.num_items, rank)
    plan = Plan(4, 1, int(method.family is Family.MCMC), draws=2)
    options = {"warmup": 1} if "warmup" in method.options else {}
    try:
        trial(Task(method, model, data, plan, options))
        result = drive(method, model, data, plan, options)
    except InputError as error:
        assert str(error).isprintable()
        return
    assert all(np.isfinite(a).all() for a in (*result.draws.values(), *result.expected.values()))


def test_fifty_chains():
    data, rank = CASES["all equal"]
    result = drive(load.method("factorization", "row_gibbs"), Factorization(5, 4, rank), data, Plan(4, 50, 1))
    assert result.draws["U"].shape == (50, 3, 5, 2)
    assert len(np.unique(result.draws["U"][:, 0, 0, 0])) == 50
