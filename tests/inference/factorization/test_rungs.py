"""Every rung of the ladder by every method that takes it: the same answer in other units; its saved fit predicts what
the run did, and ArviZ can use it."""

import math
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
import torch

from data.ratings import Split
from errors import InputError
from experiments.ratings import tasks
from inference import load
from inference.drive import drive
from inference.factorization.fitted.fit import Fit as Saved
from inference.factorization.fitted.fold_in import means
from inference.job import Plan
from inference.known import names
from inference.result import import_arviz
from models.ordinal import named
from models.ratings import Ratings
from models.rungs.time import DAY
from runs.options import Fit

matplotlib.use("Agg")
pytestmark = pytest.mark.usefixtures("one_thread")
SAMPLERS = ("composite_gibbs_pyro", "ladder_gibbs")
MODELS = ("noise+biases+noise-per-user", "noise+hierarchical+features", "noise+hierarchical+biases+features+time",
          "ordinal+time", "hierarchical+biases+features+time+ordinal")
USERS, ITEMS = 12, 6


def parts(levels, times=1.0, plus=0.0):
    """Some 50 ratings over 40 days, stars where they are levels, in other units."""
    rng = torch.Generator().manual_seed(4)
    user, item = (torch.rand(USERS, ITEMS, generator=rng) < 0.7).nonzero(as_tuple=True)
    rating = 3 + (torch.randn(USERS, ITEMS, generator=rng)[user, item]
                  + torch.randn(USERS, 1, generator=rng)[user, 0]).double()
    rating = times * (rating.round().clamp(1, 5) if levels else rating) + plus
    when = DAY * torch.randint(40, (len(user),), generator=rng)
    ratings, test = Ratings(user, item, rating, USERS, ITEMS, time=when), torch.arange(len(user)) % 5 == 0
    return Split(ratings.take(~test), ratings.take(torch.arange(0)), ratings.take(test))


def fitted(method, name, *units, steps=4):
    task = tasks.task(Fit(load.method("factorization", method), {}), named(name, USERS, ITEMS, 2),
                      parts("ordinal" in name, *units), Plan(steps, 1, steps // 3, seed=3), predicts=True)
    return drive(task.method, task.model, task.data, task.plan, record=task.record, observer=task.observer,
                 keeper=task.keeper)


def same_in_other_units(method, name):
    """Levels are probabilities, whatever their numbers; a density has the units' inverse."""
    here, there = (fitted(method, name, *units).expected for units in ((), (20.0, 80.0)))
    more = 0.0 if "ordinal" in name else math.log(20)
    assert float(there["test_rmse"]) == pytest.approx(20 * float(here["test_rmse"]), rel=1e-6)
    assert float(there["test_nll"]) == pytest.approx(float(here["test_nll"]) + more, abs=1e-6)
    assert there["test_mean"] == pytest.approx(20 * here["test_mean"] + 80, rel=1e-6)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("method", SAMPLERS)
def test_other_units_are_the_same_answer_in_other_units(method, name):
    same_in_other_units(method, name)


@pytest.mark.slow
@pytest.mark.parametrize("method", sorted({*names("factorization")} - {*SAMPLERS}))
def test_every_other_method_answers_alike_in_other_units_or_refuses(method):
    taken = []
    for name in ("noise", "noise+biases", "noise+time", *MODELS):
        try:
            same_in_other_units(method, name)
            taken.append(name)
        except InputError as refusal:
            assert "\n" not in str(refusal)
    assert taken == (["noise", "noise+biases", "noise+time", MODELS[0], "ordinal+time"] if method == "nuts_pyro"
                     else [])


@pytest.fixture(scope="module")
def results():
    return {name: fitted("ladder_gibbs", name, steps=12) for name in MODELS}


@pytest.mark.parametrize("name", MODELS)
def test_a_saved_fit_predicts_what_the_run_did(name, results):
    """Means of its test set, and of all items of a user as of these pairs, old users and new ones."""
    result = results[name]
    fit, test = Saved.of(result, "here"), parts("ordinal" in name).test
    found = fit.predict(test.user.numpy(), test.item.numpy(), 0.9)
    assert found.mean == pytest.approx(result.expected["test_mean"], abs=1e-5)
    every = np.arange(ITEMS)
    new = fit.folded(replace(test.take(test.user < 2).untimed, num_users=2))
    for user, rows, table in ((3, None, fit.means(np.array([3]))), (1, new, means(fit.model, fit.draws, new,
                                                                                   np.array([1])))):
        assert fit.predict(np.full(ITEMS, user), every, 0.9, rows).mean == pytest.approx(table[0], abs=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_arviz_compares_every_rung(results):
    az, idata = import_arviz(), {name: result.to_arviz() for name, result in results.items()}
    assert all(np.isfinite(az.loo(each).elpd_loo) for each in idata.values())
    for levels in (False, True):  # whose log likelihoods are of probabilities, the others' of densities
        alike = {name: each for name, each in idata.items() if ("ordinal" in name) == levels}
        assert set(az.compare(alike).index) == set(alike)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODELS)
def test_arviz_draws_every_rung(name, results):
    az, each = import_arviz(), results[name].to_arviz()
    assert az.plot_ppc(each, num_pp_samples=3) is not None and len(az.plot_trace(each))
    matplotlib.pyplot.close("all")
