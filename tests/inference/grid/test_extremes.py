"""Extremes keep working or are named: every method of grids on potentials, shapes and numbers of labels at the edge."""

import numpy as np
import pytest
import torch

from errors import InputError
from inference import load
from inference.drive import drive
from inference.job import Plan
from inference.method import Family
from inference.result import Result
from models.grid import GridMRF
from runs.task import Task, trial

METHODS = load.names("grid")
SLOW = ("junction_tree_pgmpy", "variable_elimination_pgmpy", "gibbs_pgmpy", "generalised_bp",
        "annealed_importance_sampling")


def image(H: int, W: int, K: int = 2, observed: bool = True) -> torch.Tensor:
    labels = torch.arange(H * W).reshape(H, W) * 7 % 5 % K
    return torch.eye(K, dtype=torch.float64)[labels] * observed


CASES = {
    **{f"evidence and coupling {x:g}": GridMRF.potts(image(2, 3), x, (x, x / 5)) for x in (1e-6, 1e-3, 1e2, 1e4)},
    "evidence without coupling": GridMRF.potts(image(2, 3), 1e4, (1e-6, 0.0)),
    "coupling without evidence": GridMRF.potts(image(2, 3), 1e-6, (1e4, 0.0)),
    "repelling": GridMRF.potts(image(2, 3), 1.0, (-1e2, 0.0)),
    "one pixel": GridMRF.potts(image(1, 1), 1.0, (1.0, 0.2)),
    "one row": GridMRF.potts(image(1, 6), 1.0, (1.0, 0.2)),
    "one column": GridMRF.potts(image(6, 1), 1.0, (1.0, 0.2)),
    "unobserved": GridMRF.potts(image(2, 3, observed=False), 10.0, (1.0, 0.2)),
    "16 labels": GridMRF.potts(image(1, 3, 16), 1.0, (1.0, 0.2)),
    "64 labels": GridMRF.potts(image(1, 2, 64), 1.0, (1.0, 0.2)),
}
LONG = {"1 x 4096": GridMRF.potts(image(1, 4096), 1.0, (1.0, 0.2)),
        "4096 x 1": GridMRF.potts(image(4096, 1), 1.0, (1.0, 0.2))}


def answer(name: str, model: GridMRF, steps: int = 20, seed: int = 0) -> Result | None:
    """The result, or the sentence that refuses."""
    method = load.method("grid", name)
    chain = method.family is Family.MCMC
    task = Task(method, model, None, Plan(steps, 1, steps // 5 if chain else 0, draws=5, seed=seed))
    try:
        trial(task)
        return drive(method, model, None, task.plan)
    except InputError as error:
        assert str(error).isprintable()
        return None


def finite(result: Result) -> bool:
    evidence = np.array(0.0 if result.log_evidence is None else result.log_evidence)
    return all(np.isfinite(a).all() for a in (*result.draws.values(), *result.expected.values(), evidence))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in SLOW else []) for n in METHODS])
def test_an_extreme_is_answered_or_named(name, case):
    """Exact methods against enumeration; the others finite, and distributions where they give marginals."""
    model = CASES[case]
    result = answer(name, model)
    if result is None:
        return
    assert finite(result)
    marginals = result.expected.get("labels")
    if marginals is not None:
        assert marginals.min() >= 0 and np.abs(marginals.sum(-1) - 1).max() < 1e-9
    exact = answer("brute_force", model) if result.family == "exact" else None
    if exact is not None:
        assert marginals is not None
        np.testing.assert_allclose(marginals, exact.expected["labels"], atol=1e-9)
        assert result.log_evidence == pytest.approx(exact.log_evidence, rel=1e-12, abs=1e-9)


@pytest.mark.parametrize("case", [case if case == "1 x 4096" else pytest.param(case, marks=pytest.mark.slow)
                                  for case in LONG])
@pytest.mark.parametrize("name", [n for n in METHODS if n not in SLOW])
def test_a_row_of_4096_is_answered_or_named(name, case):
    """A chain has the log Z of its transfer matrix; loopy BP is exact on it once a message has gone through."""
    model = LONG[case]
    result = answer(name, model, steps=3)
    assert result is None or finite(result)
    if name == "strip":
        assert result is not None and result.log_evidence == pytest.approx(transfer(model), rel=1e-12)


def transfer(model: GridMRF) -> float:
    """log Z of a chain, pixel by pixel: a_t(l) = phi_t(l) + log sum_k exp(a_{t-1}(k) + J(k, l))."""
    unary, table = model.unary.reshape(-1, 2), model.pair
    assert table is not None
    a = unary[0]
    for phi in unary[1:]:
        a = phi + torch.logsumexp(a[:, None] + table, 0)
    return float(a.logsumexp(0))


@pytest.mark.parametrize("seed", [0, 2**31, 2**63, 2**64 + 1, 10**40])
def test_seeds_of_any_size(seed):
    first, again = (answer("gibbs", CASES["one row"], seed=seed) for _ in range(2))
    assert first is not None and again is not None
    np.testing.assert_array_equal(first.draws["labels"], again.draws["labels"])
