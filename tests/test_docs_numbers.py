"""Numbers in the docs, worked out anew: each sentence or row of a table with the code that makes it.

A sentence is a template; filled with what the code gives it must stand on the page, digit for digit. Where it does not,
the test shows the sentence that should. What takes long is slow: `make test PYTEST_ARGS="-m slow"`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache

import numpy as np
import pytest
import torch
from _pytest.mark import ParameterSet

import crosscheck as cc
from checks.kernels import cost, judge
from checks.kernels.trial import STEPS
from checks.problems.load import problem_set
from inference.grid.compiled.strip import ranges
from inference.grid.junction_tree_pgmpy import _onto
from models.grid import GridMRF
from tests.support import ROOT

Rows = Iterable[tuple]
ROUNDING = 1e-14
SAID: list[ParameterSet] = []  # page, template, what fills it


def says(page: str, template: str, slow: bool = False) -> Callable[[Callable[[], Rows]], Callable[[], Rows]]:
    """The page has the template filled with each of the tuples that the function gives."""
    def keep(make: Callable[[], Rows]) -> Callable[[], Rows]:
        SAID.append(pytest.param(page, template, make, id=make.__name__, marks=[pytest.mark.slow] if slow else []))
        return make
    return keep


@cache
def text(page: str) -> str:
    """A page with single spaces for line ends."""
    return re.sub(r"\s+", " ", (ROOT / page).read_text())


# ---- Problem 1


@cache
def small(name: str, beta: float = 1.0) -> cc.Result:
    """A method's answer on `small` at the reference's weights, times beta."""
    return cc.run(name, cc.GridMRF.potts(cc.load_image("small")).scaled(beta))


def ones(name: str) -> np.ndarray:
    """p(y = 1) of every pixel of `small`."""
    return np.asarray(small(name).expected["labels"])[..., 1]


def off(name: str, beta: float) -> tuple[float, float]:
    """The worst marginal's distance from the exact one, and log Z's."""
    exact, found = small("strip", beta), small(name, beta)
    assert exact.log_evidence is not None and found.log_evidence is not None
    return abs(found.expected["labels"] - exact.expected["labels"]).max(), found.log_evidence - exact.log_evidence


@says("docs/problem1.md", "p(y = 1) of the lowest row is {:.8f}, {:.8f}, {:.8f} exactly, and {:.8f}, {:.8f}, "
                          "{:.8f} by mean field")
def lowest_row() -> Rows:
    yield *ones("strip")[-1], *ones("mean_field")[-1]


@says("docs/problem1.md", "The ELBO is {:.5f} against log Z = {:.5f}")
def what_mean_field_loses() -> Rows:
    yield small("mean_field").log_evidence, small("strip").log_evidence


@says("docs/problem1.md", "exact p(y = 1) of the centre of the top row is {:.3e}, the belief {:.3e}")
def the_belief_of_the_top_row() -> Rows:
    yield ones("strip")[0, 1], ones("loopy_bp")[0, 1]


@says("docs/problem1.md", "Loopy BP is within {:.0e} of them everywhere (relatively it is {:.0%} off in one pixel, "
                          "whose probability of label 1 is {:.0e})")
def how_near_loopy_bp_is() -> Rows:
    exact, belief = ones("strip"), ones("loopy_bp")
    worst = abs(belief / exact - 1).argmax()
    assert abs(belief - exact).max() <= ROUNDING
    yield ROUNDING, abs(belief / exact - 1).max(), exact.flat[worst]


@says("docs/problem1.md", "a probability of {:.5f} where {:.5f} is right: it is too sure, since q sits in one mode and "
                          "cannot pay for the other, and its bound is {:.4f} nats too low")
def too_sure() -> Rows:
    yield ones("mean_field")[-1, 0], ones("strip")[-1, 0], -off("mean_field", 1.0)[1]


@says("docs/problem1.md", "the worst marginal of BP is off by {:.3f}, that of mean field by {:.3f}, and log Z by {:.3f}"
                          " (Bethe) and {:.2f} (bound)")
def lower_weights() -> Rows:
    (bp, bethe), (mean_field, bound) = off("loopy_bp", 0.1), off("mean_field", 0.1)
    yield bp, mean_field, bethe, bound


@says("docs/problem1.md", "{:.0f} nats a column for the reference's weights, {:.0f} at 20 columns")
def range_of_the_strip() -> Rows:
    model = GridMRF.potts(torch.nn.functional.one_hot(torch.zeros(30, 20, dtype=torch.long), 2))
    total = ranges(model.unary, model.right, model.down)[0]
    yield total / 20, total


@says("docs/problem1.md", "| {} | {:.4g} | {:.4g} |")
def pgmpys_junction_tree() -> Rows:
    for name, image in images():
        yield name, *(calibrated_as_it_comes(GridMRF.potts(image), row_major) for row_major in (False, True))


def images() -> Iterator[tuple[str, torch.Tensor]]:
    for n, rows in ((4, "two rows of 0 and two of 1"), (5, "two rows of 0 and three of 1")):
        yield f"{n} x {n}, {rows}", torch.nn.functional.one_hot((torch.arange(n) >= 2).long().expand(n, n).T, 2)
    for n in (4, 6, 7):
        labels = torch.randint(2, (n, n), generator=torch.Generator().manual_seed(1))
        yield f"{n} x {n}, random labels", torch.nn.functional.one_hot(labels, 2)


def calibrated_as_it_comes(model: GridMRF, row_major: bool) -> float:
    """The largest error of a marginal by pgmpy's own calibration, or what rounding makes."""
    from pgmpy.inference import BeliefPropagation

    network = model.to_pgmpy()[0]
    if row_major:
        network.triangulate(order=sorted(network.nodes()), inplace=True)
        network = network.to_junction_tree()
    tree, exact = BeliefPropagation(network), cc.run("strip", model).expected["labels"]
    tree.calibrate()
    return max(ROUNDING, *(abs(_onto(belief, [pixel]) / belief.values.sum() - exact[pixel]).max()
                           for belief in tree.get_clique_beliefs().values() for pixel in belief.variables))


# ---- Problem 2


@says("docs/problem2.md", "| {} | {:.4f} | {:.4f} | {:.4f} | {:.3f} |", slow=True)
def ranks() -> Rows:
    """Coordinate ascent on `jester-like`: minutes."""
    ratings = cc.load_ratings("jester-like")
    parts = cc.split(ratings, (0.98, 0.01, 0.01), seed=0)
    for K in (1, 2, 3, 5, 6, 8, 10):
        model = cc.factorization("plain", ratings.num_users, ratings.num_items, rank=K)
        fit = cc.run("coordinate_ascent", model, parts.train, score={"train": parts.train, "test": parts.test})
        assert fit.log_evidence is not None
        nlls = (float(fit.trace[name][0][-1]) for name in ("train_nll", "test_nll", "test_rmse"))
        yield K, fit.log_evidence / len(parts.train), *nlls


# ---- --check


@says("docs/check.md", "| {}, {} from {} x {} to {} x {}")
def sets_of_problems() -> Rows:
    for kind, name in (("grid", "grids"), ("factorization", "ratings")):
        sizes = sorted((p.model.shape[:2] if kind == "grid" else (p.model.num_users, p.model.num_items)
                        for p in problem_set(kind).problems()), key=lambda size: (np.prod(size), size))
        yield name, len(sizes), *sizes[0], *sizes[-1]


@says("docs/check.md", "the ladder, {}")
def the_ladder() -> Rows:
    yield (len(problem_set("ladder").problems()),)


@says("docs/check.md", "Looks at n = {:,} and {:,} replicates of every test problem, and {:,} of the first two")
def looks() -> Rows:
    assert (cost.BRIEF, cost.LONG) == (2, 2)
    yield judge.LOOKS


@says("docs/check.md", "a pass takes {:,} sweeps on the ratings and {:,} on the grids")
def sweeps_of_a_pass() -> Rows:
    """Every problem to the last of its looks, three steps a replicate."""
    short, long = judge.LOOKS[cost.BRIEF - 1], judge.LOOKS[-1]
    yield tuple(STEPS * sum(short if p.brief else long for p in problem_set(kind).problems())
                for kind in ("factorization", "grid"))


@pytest.mark.parametrize(("page", "template", "make"), SAID)
def test_a_number_is_what_the_code_gives(page, template, make):
    for row in make():
        assert template.format(*row) in text(page)
