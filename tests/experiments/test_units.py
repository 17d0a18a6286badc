"""What is said of variances that are given, and where predictions end."""

import pytest
import torch

from experiments.ratings import tasks
from experiments.ratings.words import scales
from inference import load
from inference.drive import drive
from inference.job import Plan
from models.factorization import Factorization
from models.ladder import make
from runs.options import Fit
from tests.models.test_units import parts

pytestmark = pytest.mark.usefixtures("one_thread")


def result(clip):
    sets = parts()
    for each in (sets.train, sets.test):
        object.__setattr__(each, "scale", (2.5, 3.5))
    task = tasks.task(Fit(load.method("factorization", "row_gibbs"), {}), Factorization(30, 12, 2), sets,
                      Plan(6, 1, 2, seed=3), clip=clip, ask=(torch.tensor([0, 1]), torch.tensor([0, 1])))
    found = drive(task.method, task.model, task.data, task.plan, record=task.record, observer=task.observer)
    return sets.test.rating, found.expected


def test_clipped_means_end_at_the_ends_of_the_scale_and_densities_do_not_change():
    rating, wide = result(False)
    _, narrow = result(True)
    mean = torch.as_tensor(wide["test_mean"])
    assert torch.equal(torch.as_tensor(narrow["test_mean"]), mean.clamp(2.5, 3.5)) and not mean.max() <= 3.5
    assert torch.equal(torch.as_tensor(narrow["ask_mean"]), torch.as_tensor(wide["ask_mean"]).clamp(2.5, 3.5))
    assert float(narrow["test_rmse"]) == pytest.approx(float((rating - mean.clamp(2.5, 3.5)).square().mean().sqrt()))
    assert float(narrow["test_nll"]) == float(wide["test_nll"])


def test_given_variances_say_their_unit_where_ratings_are_no_stars():
    stars, wide = parts(0.2, 2.0).train, parts(20.0).train
    assert scales(Factorization(30, 12, 2), stars) == []
    said, = scales(Factorization(30, 12, 2), wide)
    assert "The noise variance 1 is in squared rating units" in said and "0 +- 7.14" in said  # (2 * 25 + 1)^(1/2)
    assert f"vary by {float(wide.rating.var(correction=0)):.3g} about" in said
    assert scales(make("noise", 30, 12, 2), wide) == []
