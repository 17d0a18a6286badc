"""No method hands on NaN or infinity, whatever it is given."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import crosscheck as cc
from errors import InputError
from inference import finite, load
from inference.drive import drive
from inference.job import Plan
from inference.method import Info
from tests.support.small_ratings import some_ratings

pytestmark = pytest.mark.usefixtures("one_thread")

EACH = [pytest.param(kind, name, id=f"{kind}-{name}") for kind in ("grid", "factorization")
        for name in load.names(kind)]
NAN = torch.tensor([1.0, float("nan")])


def gibbs(**changes):
    return replace(load.method("grid", "gibbs"), **changes)


def run(method, steps=5):
    return drive(method, cc.GridMRF.potts(cc.load_image("small")), None, Plan(steps))


@pytest.mark.parametrize(("changes", "where"), [
    ({"step": lambda rng, state, model, data: ({"angle": NAN}, Info())}, "angle is not finite after step 1"),
    ({"step": lambda rng, state, model, data: (state, Info(log_evidence=float("inf")))}, "log_evidence is not finite"),
    ({"expect": lambda state, model: {"labels": NAN}}, "labels is not finite after step 5, the last"),
    ({"step": lambda rng, state, model, data: torch.linalg.cholesky(-torch.eye(2))}, "the arithmetic fails in step 1"),
    ({"init": lambda rng, model, data: 1 / 0}, "the arithmetic fails at the start .division by zero."),
])
def test_where_it_arises_is_named(changes, where):
    with pytest.raises(InputError, match=f"^gibbs: {where}"):
        run(gibbs(**changes))


def test_a_sum_that_overflows_is_no_infinity():
    large = torch.full((4,), 1e308, dtype=torch.float64)
    step = gibbs().step
    run(gibbs(step=lambda rng, state, model, data: (step(rng, state, model, data)[0], {"large": 1e308})))
    finite.check({"large": large}, None, "")  # type: ignore[arg-type]  # nothing to say, so nobody is asked


def test_other_errors_are_not_taken_for_arithmetic():
    def step(rng, state, model, data):
        raise ValueError("a fault")
    with pytest.raises(ValueError, match="a fault"):
        run(gibbs(step=step))


@pytest.mark.parametrize(("kind", "name"), EACH)
def test_every_method_on_numbers_without_measure(kind, name):
    """The largest weights that a grid takes, and ratings whose squares overflow: a finite answer or a sentence."""
    if kind == "grid":
        model: Any = cc.GridMRF.potts(cc.load_image("small"), 1e12, (1e12, -1e12))
        data: Any = None
    else:
        model, data = some_ratings(5, 4, 12, rank=2)
        data = replace(data, rating=data.rating * 1e200)
    try:
        result = cc.run(name, model, data, steps=3)
    except InputError as error:
        assert len(str(error)) < 400
    else:
        assert all(np.isfinite(array).all() for group in (result.expected, result.draws) for array in group.values()
                   if array.dtype.kind == "f")


def test_weights_that_double_precision_cannot_hold_are_refused():
    small = cc.load_image("small")
    for weights in ((1e13, (10.0, 2.0)), (10.0, (1e308, 2.0))):
        with pytest.raises(InputError, match=r"reach 1e\+(13|308) nats: beyond 1e\+12"):
            cc.GridMRF.potts(small, *weights)


def test_what_to_try():
    model, data = some_ratings(5, 4, 12, rank=2)
    with pytest.raises(InputError, match=r"the data reach 3e.200; bring them nearer to 1"):
        cc.run("row_gibbs", model, replace(data, rating=data.rating * 0 + 3e200), steps=3)
