"""Effects of time: program against log joint, conditionals against dense algebra, a sweep, made-up data."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from errors import InputError
from inference import load
from inference.drive import drive
from inference.factorization import composite_gibbs_pyro, ladder_gibbs
from inference.factorization.parts import time as of_time
from inference.factorization.predictive import Predictive
from inference.job import Plan
from inference.method import Family
from models.ordinal import fitted, named
from models.ratings import Ratings
from models.rungs.time import DAY, PERIOD, RATE, SHAPE
from models.timed import Timed
from ranks.part import Part
from tests.models.test_ladder import bounded
from tests.support.some_factorization import assert_program_agrees

pytestmark = pytest.mark.usefixtures("one_thread")
NAMES = ["noise+time", "noise+biases+noise-per-user+time", "noise+hierarchical+biases+features+time"]


def problem(name, K=1, users=6, items=4):
    """Three days within two periods; user 1 without ratings."""
    rng = torch.Generator().manual_seed(0)
    seen = torch.rand(users, items, generator=rng) < 0.7
    seen[1] = False
    user, item = seen.nonzero(as_tuple=True)
    time = DAY * torch.tensor([3, 4, 3 + PERIOD])[torch.randint(3, (len(user),), generator=rng)]
    data = Ratings(user, item, 3 + 2 * torch.randn(len(user), generator=rng).double(), users, items, time=time)
    model = replace(timed(named(name, users, items, K, pairs=(user, item)), data), times=time)
    return model, data, model.prior(rng), rng


def timed(model, data) -> Timed:
    ready = fitted(model, data)
    assert isinstance(ready, Timed)
    return ready


@pytest.mark.parametrize("name", NAMES)
def test_program_and_log_joint_agree(name):
    model, data, latents, _ = problem(name)
    assert_program_agrees(model, data, latents)


def test_cells_are_those_of_the_training_ratings():
    """By hand: user 0 on days 3 and 4, user 2 on day 3; item 0 in period 0 twice, and in period 1."""
    user, item = torch.tensor([2, 0, 0, 0]), torch.tensor([0, 0, 0, 1])
    time = DAY * torch.tensor([3, 3, 30, 4]) + torch.tensor([0, 86_399, 5, 7])
    data = Ratings(user, item, torch.tensor([1.0, 2, 3, 4]).double(), 3, 2, time=time)
    calendar = timed(named("noise+time", 3, 2, 1), data).of_time.calendar
    assert [x.tolist() for x in (calendar.user.row, calendar.user.period)] == [[0, 0, 0, 2], [3, 4, 30, 3]]
    assert [x.tolist() for x in (calendar.item.row, calendar.item.period, calendar.item.count)] == [
        [0, 0, 1], [0, 1, 0], [2, 1, 1]]
    others = replace(data, time=DAY * torch.tensor([3, 5, 10**5, -1]))
    for place, cells in zip(calendar.places(others), ([3, -1, -1, -1], [0, 0, -1, -1]), strict=True):
        assert place is not None and place.nowhere is not None
        assert torch.where(place.nowhere, -1, place.cell).tolist() == cells


def test_what_is_added_where_times_are_known_unknown_and_not_told():
    """By hand, in units of 2 ratings: known cells have their effect, unknown ones 0 and 1 / t, untold times the mean
    and variance over the cells, by their ratings."""
    user, item = torch.tensor([0, 0, 0, 0]), torch.tensor([0, 1, 2, 0])
    data = Ratings(user, item, torch.arange(4).double(), 2, 3, time=DAY * torch.tensor([0, 0, 0, 60]))
    model = replace(timed(named("noise+time", 2, 3, 1), data), unit=2.0)
    latents = {"U": torch.zeros(2, 1).double(), "V": torch.zeros(3, 1).double(), "sigma2": torch.tensor(0.5).double(),
               "user_day": torch.tensor([1.0, -3.0]).double(), "precision_day": torch.tensor(4.0).double(),
               "item_period": torch.tensor([0.5, 0.1, 0.0, 0.0]).double(),
               "precision_period": torch.tensor(8.0).double()}
    at = Ratings(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 0]), torch.zeros(3).double(), 2, 3,
                 time=DAY * torch.tensor([60, 60, 5]))
    assert_close(model.effects(latents, at), 2 * torch.tensor([-3 + 0.1, -3 + 0, 0 + 0.5]).double())
    assert_close(model.noise_of(latents, at), 4 * torch.tensor([0.5, 0.5 + 1 / 8, 0.5 + 1 / 4]).double())
    assert_close(model.effects(latents, at.untimed), 2 * torch.tensor([0 + 0.3, 0, 0 + 0.3]).double())
    assert_close(model.noise_of(latents, at.untimed), 4 * (0.5 + torch.tensor([3 + 0.04, 3, 1 / 4 + 0.04]).double()))
    many = {site: torch.stack([x, 2 * x]) for site, x in latents.items()}
    assert_close(model.expected(many, at)[0], model.expected(latents, at))
    assert_close(torch.as_tensor(model.noise_of(many, at.untimed))[0], model.noise_of(latents, at.untimed))


@pytest.mark.parametrize("name", NAMES[:2])
@pytest.mark.parametrize("site", ["user_day", "item_period"])
def test_effects_have_the_mean_and_covariance_of_the_dense_gaussian(name, site, monkeypatch):
    """Of the log joint, quadratic in them: mean by its slope and curvature at 0. Noise is 0, then each unit vector."""
    model, data, latents, rng = problem(name)
    n, rest, drawn = len(latents[site]), dict(latents), []

    def log(x):
        return model.log_joint({**rest, site: x}, data)

    for z in torch.cat([torch.zeros(1, n), torch.eye(n)]).double():
        monkeypatch.setattr(of_time, "normals", lambda rng, m, _, z=z: (z if m == n else 0 * torch.ones(m))[:, None])
        new = ladder_gibbs.time(rng, model, latents, data, "compiled")
        drawn.append(new[site])
        if site == "item_period":
            rest["user_day"] = new["user_day"]
    zero = torch.zeros(n).double()
    curvature = -torch.autograd.functional.hessian(log, zero)
    mean = torch.linalg.solve(curvature, torch.autograd.functional.jacobian(log, zero))
    assert_close(drawn[0], mean, rtol=1e-9, atol=1e-10)
    spread = torch.stack(drawn[1:]) - drawn[0]
    assert_close(spread.mT @ spread, torch.linalg.inv(curvature), rtol=1e-9, atol=1e-10)


def test_precisions_have_the_moments_of_their_gamma():
    """Gamma(2 + n / 2, 0.2 + sum e^2 / 2), the e drawn with them: 500 draws of t times its rate have the mean and the
    variance 2 + n / 2; 6 standard errors each: false alarm 8e-9."""
    model, data, latents, rng = problem("noise+time")
    found = [ladder_gibbs.time(rng, model, latents, data, "compiled") for _ in range(500)]
    for effect, precision in (cells.sites for cells in model.of_time.calendar.sides):
        shape = SHAPE + len(latents[effect]) / 2
        x = torch.stack([new[precision] * (RATE + new[effect].square().sum() / 2) for new in found])
        assert abs(float(x.mean()) - shape) < 6 * math.sqrt(shape / 500)
        assert abs(float(x.var()) - shape) < 6 * math.sqrt((2 * shape**2 + 6 * shape) / 500)


@pytest.mark.parametrize(("by", "replicates"), [
    (ladder_gibbs, 300), pytest.param(composite_gibbs_pyro, 120, marks=pytest.mark.slow)])
def test_a_sweep_leaves_the_joint_distribution_alone(by, replicates):
    """As in test_ladder (Geweke 2004), by hand and in Pyro: 6 standard errors: 2e-9 a function."""
    model, _, _, rng = problem("noise+biases+time", users=4, items=3)
    changes = []
    for _ in range(replicates):
        old = model.prior(rng)
        data = model.simulate(rng, old)
        state, _ = by.step(rng, by.start(rng, model, data, old), model, data)
        a, b = (torch.stack([*bounded(x, model, data), *(torch.tanh(f) for f in (
            x["user_day"].square().sum(), x["item_period"].square().sum(), x["precision_day"] / 10,
            x["precision_period"] / 10, (model.effects(x, data) * data.rating).mean()))])
            for x in (by.draw(rng, state, model), old))
        changes.append(a - b)
    table = torch.stack(changes)
    z = table.mean(0) / (table.std(0) / math.sqrt(len(table)) + 1e-12)
    assert float(z.abs().max()) < 6 and bool((table.std(0) > 0).all()), z
    if by is composite_gibbs_pyro:
        assert {site for _, sites in by.blocks(model) for site in list(sites)} == set(model.sites)


@pytest.fixture(scope="module")
def made():
    """300 users on four days each, 60 items in three periods: sds 0.6 and 0.3 of the effects, 0.5 of the noise."""
    rng = torch.Generator().manual_seed(3)
    user, item = (torch.rand(300, 60, generator=rng) < 0.6).nonzero(as_tuple=True)
    days = torch.randint(PERIOD * 3, (300, 4), generator=rng)
    day = days[user, torch.randint(4, (len(user),), generator=rng)]
    of_day = 0.6 * torch.randn(300, 3 * PERIOD, generator=rng).double()
    of_period = 0.3 * torch.randn(60, 3, generator=rng).double()
    mean = torch.randn(300, generator=rng).double()[user] + torch.randn(60, generator=rng).double()[item]
    rating = 3 + mean + of_day[user, day] + of_period[item, day // PERIOD]
    rating = rating + 0.5 * torch.randn(len(user), generator=rng).double()
    data = Ratings(user, item, rating, 300, 60, time=DAY * day)
    held = torch.arange(len(user)) % 5 == 0
    return data.take(~held), data.take(held), of_day


def fit(name, made, times=False, sweeps=40, unit=1.0, plus=0.0):
    train, test, _ = (replace(x, rating=unit * x.rating + plus) if isinstance(x, Ratings) else x for x in made)
    model = fitted(named(name, 300, 60, 1), train)
    kept = ("user_day", "precision_day", "precision_period")
    found = drive(load.method("factorization", "ladder_gibbs"), model, train, Plan(sweeps, 1, sweeps // 2),
                  record=lambda latents: {site: latents[site] for site in kept if site in latents},
                  observer=Predictive(model, {"test": test}, Family.MCMC, times=times))
    return model, found


def test_effects_that_were_put_in_are_found(made):
    """A day of 7 ratings is known to 0.5 / 7^1/2 = 0.19 of 0.6, so that within users effects and truth have a
    correlation near 0.94; the sds are known to a few per cent: below 0.85, or an sd of days 20% off, has probability
    below 1e-9. With their own times test ratings have the noise's error, 0.5, and a little more; without, the effects'.
    """
    model, own = fit("noise+hierarchical+biases+time", made, times=True)
    _, anytime = fit("noise+hierarchical+biases+time", made)
    _, without = fit("noise+hierarchical+biases", made)
    cells = model.of_time.calendar.user
    of_user = torch.nn.functional.one_hot(cells.row, 300).double()
    found, truth = (x - of_user @ (of_user.T @ x / of_user.sum(0).clamp(min=1)) for x in (
        torch.as_tensor(own.draws["user_day"][0]).mean(0), made[2][cells.row, cells.period]))
    assert np.corrcoef(found, truth)[0, 1] > 0.85
    sds = [model.unit * float((own.draws[f"precision_{of}"] ** -0.5).mean()) for of in ("day", "period")]
    assert sds == [pytest.approx(0.6, rel=0.2), pytest.approx(0.3, rel=0.3)]
    errors = [float(each.expected["test_rmse"]) for each in (own, anytime, without)]
    assert 0.48 < errors[0] < 0.58 < 0.65 < errors[1] < errors[2] + 0.01
    for each in (own, anytime):
        inside = np.abs(each.expected["test_pit"] - 0.5) < 0.45
        assert abs(inside.mean() - 0.9) < 6 * math.sqrt(0.09 / len(inside))
    assert own.expected["test_log_density"].mean() > anytime.expected["test_log_density"].mean() + 0.1


@pytest.mark.parametrize(("unit", "plus", "times"), [(20.0, 0.0, True), (1.0, 80.0, False)])
def test_other_units_are_the_same_answer_in_other_units(made, unit, plus, times):
    here, there = (fit("noise+biases+time", made, times, 4, *units)[1].expected
                   for units in ((1.0, 0.0), (unit, plus)))
    assert float(there["test_rmse"]) == pytest.approx(unit * float(here["test_rmse"]), rel=1e-6)
    assert float(there["test_nll"]) == pytest.approx(float(here["test_nll"]) + math.log(unit), abs=1e-6)


def test_what_cannot_be_is_a_sentence():
    for name, why in (("time", "add noise"), ("hierarchical+time", "add noise"),
                      ("noise+time+ordinal", "leave noise out")):
        with pytest.raises(InputError, match=why):
            named(name, 3, 2, 1)
    with pytest.raises(InputError, match="has no days yet"):
        named("noise+time", 3, 2, 1).sites  # noqa: B018
    model, data, latents, rng = problem("noise+time")
    with pytest.raises(InputError, match="time needs to know when each rating was given"):
        fitted(model, data.untimed)
    with pytest.raises(InputError, match="all ratings are of one day"):
        fitted(model, replace(data, time=data.time // DAY))
    for other in (data.untimed, replace(data, time=data.time + DAY)):
        with pytest.raises(InputError, match="this model's days and periods are of other ratings"):
            ladder_gibbs.init(rng, model, other)
    with pytest.raises(InputError, match="does not say when its ratings are"):
        replace(model, times=None).simulate(rng, latents)
    part = Part((0, 3, 6), 0)
    with pytest.raises(InputError, match=r"ladder_gibbs does not divide a model with .*user_day"):
        ladder_gibbs.init(rng, model.of(part), data.of(part))
    small, few = model.small(rng)
    assert isinstance(small, Timed) and len(few) == 12 and math.isfinite(float(small.log_joint(small.prior(rng), few)))
