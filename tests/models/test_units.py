"""The answer of a model that learns its noise does not depend on the ratings' units."""

import math
from dataclasses import replace

import numpy as np
import pyro.poutine as poutine
import pytest
import torch
from torch.testing import assert_close

from data.ratings import Split
from errors import InputError
from experiments.ratings import learned, tasks
from inference import load
from inference.drive import drive
from inference.factorization.fitted import fit as saved_fit
from inference.job import Plan
from models.ladder import Ladder, make, standardised
from models.ratings import Ratings
from runs.options import Fit

pytestmark = pytest.mark.usefixtures("one_thread")
LEARNED = ("noise", "noise+biases", "noise+hierarchical", "noise+hierarchical+biases")


def parts(times=1.0, plus=0.0):
    """Ratings of 30 users and 12 items, half of them, near 3 +- 1, brought to other units."""
    rng = torch.Generator().manual_seed(4)
    seen = (torch.rand(30, 12, generator=rng) < 0.5).nonzero()
    mean = torch.randn(30, 1, generator=rng) @ torch.randn(1, 12, generator=rng)
    rating = 3 + mean[seen[:, 0], seen[:, 1]].double() + 0.5 * torch.randn(len(seen), generator=rng).double()
    ratings = Ratings(seen[:, 0].contiguous(), seen[:, 1].contiguous(), times * rating + plus, 30, 12)
    test = torch.arange(len(seen)) % 5 == 0
    return Split(ratings.take(~test), ratings.take(torch.arange(0)), ratings.take(test))


def scores(kernel, name, sets, engine):
    task = tasks.task(Fit(load.method("factorization", kernel), {"engine": engine}), make(name, 30, 12, 2), sets,
                      Plan(12, 1, 4, seed=3))
    return drive(task.method, task.model, task.data, task.plan, task.options, record=task.record,
                 observer=task.observer)


@pytest.mark.parametrize("name", LEARNED)
@pytest.mark.parametrize(("kernel", "engine", "times", "plus"), [
    ("ladder_gibbs", "compiled", 20.0, 0.0), ("ladder_gibbs", "compiled", 1.0, 80.0),
    ("ladder_gibbs", "compiled", 1e6, 0.0), ("ladder_gibbs", "torch", 1e-3, -4.0),
    ("composite_gibbs_pyro", "compiled", 20.0, 80.0)])
def test_other_units_are_the_same_answer_in_other_units(name, kernel, engine, times, plus):
    here, there = (scores(kernel, name, parts(*units), engine).expected for units in ((1.0, 0.0), (times, plus)))
    assert float(there["test_rmse"]) == pytest.approx(times * float(here["test_rmse"]), rel=1e-6)
    assert float(there["test_nll"]) == pytest.approx(float(here["test_nll"]) + math.log(times), abs=1e-6)
    assert float(there["noise_variance"]) == pytest.approx(times**2 * float(here["noise_variance"]), rel=1e-6)
    assert_close(torch.as_tensor(there["test_mean"]), times * torch.as_tensor(here["test_mean"]) + plus, rtol=1e-6,
                 atol=1e-6 * times)
    assert_close(torch.as_tensor(there["test_spread"]), times * torch.as_tensor(here["test_spread"]), rtol=1e-4,
                 atol=1e-6 * times)


def test_ratings_in_millions_are_predicted_within_their_range():
    sets = parts(1e6)
    found = scores("ladder_gibbs", "noise+hierarchical+biases", sets, "auto").expected["test_mean"]
    assert sets.train.rating.min() < found.min() and found.max() < sets.train.rating.max()


@pytest.mark.parametrize("name", LEARNED)
def test_program_and_density_have_the_jacobian(name):
    """log p(a r + b) = log p(r) - N log a, the latents being in standard units; the program says the same."""
    data, moved = (parts(*units).train for units in ((1.0, 0.0), (20.0, 80.0)))
    model = standardised(make(name, 30, 12, 2), data)
    other = standardised(make(name, 30, 12, 2), moved)
    latents = model.prior(torch.Generator().manual_seed(1))
    assert_close(other.log_joint(latents, moved), model.log_joint(latents, data) - len(data) * math.log(20.0))
    trace = poutine.trace(poutine.condition(other.program, latents)).get_trace(moved)
    assert_close(other.log_joint(latents, moved), trace.log_prob_sum(), rtol=1e-10, atol=1e-9)
    U, V = other.product(latents)
    assert_close((U[moved.user] * V[moved.item]).sum(1), other.quantities(latents, moved.pairs)["prediction"])


@pytest.mark.parametrize("name", ["plain", "hierarchical", "biases", "hierarchical+biases"])
def test_a_noise_that_is_given_stays_in_squared_rating_units(name):
    model = make(name, 30, 12, 2)
    assert standardised(model, parts(20.0).train) is model
    if name != "plain":
        with pytest.raises(InputError, match="a noise variance that is given is in squared rating units"):
            make(name, 30, 12, 2, unit=20.0)


def test_ratings_that_are_all_the_same_have_a_unit():
    same = parts().train
    same = replace(same, rating=torch.full_like(same.rating, 1e6 / 3))
    model = standardised(make("noise", 30, 12, 2), same)
    assert isinstance(model, Ladder) and model.unit == 1 and model.centre == pytest.approx(1e6 / 3)


@pytest.mark.parametrize("name", ["noise+biases", "noise+hierarchical"])
def test_predictions_of_a_saved_fit_are_in_the_ratings_units_for_new_users_too(name):
    def saved(times, plus):
        sets = parts(times, plus)
        task = tasks.task(Fit(load.method("factorization", "ladder_gibbs"), {}), make(name, 30, 12, 2), sets,
                          Plan(12, 1, 4, seed=3), predicts=True)
        result = drive(task.method, task.model, task.data, task.plan, task.options, record=task.record,
                       observer=task.observer, keeper=task.keeper)
        fit, two = saved_fit.Fit.of(result, "here"), torch.arange(2)
        new = fit.folded(Ratings(two, two, times * torch.tensor([1.0, 4.0]).double() + plus, 2, 12))
        return result, fit.predict(np.arange(12), np.arange(12), 0.9), fit.predict(np.array([0, 1]), np.array([5, 6]),
                                                                                  0.9, new)

    (_, *here), (result, *there) = saved(1.0, 0.0), saved(20.0, 80.0)
    for a, b in zip(here, there, strict=True):
        for field, shift in (("mean", 80.0), ("low", 80.0), ("high", 80.0), ("sd", 0.0)):
            assert getattr(b, field) == pytest.approx(20 * getattr(a, field) + shift, rel=1e-3)
    found = learned.learned(result)
    assert float(np.square(found["sd of the noise"]).mean()) == pytest.approx(
        float(result.expected["noise_variance"]), rel=1e-6)
