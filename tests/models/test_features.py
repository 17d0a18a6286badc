"""Features: program against log joint, B and the hyperparameters against its slope, a sweep, made-up data."""

import math

import pytest
import torch
from torch.testing import assert_close

from data.ratings import Split
from errors import InputError
from experiments.ratings import tasks
from inference import load
from inference.drive import drive
from inference.factorization import composite_gibbs_pyro, ladder_gibbs
from inference.job import Plan
from models.features import fitted, implicit, named
from models.ratings import Ratings
from runs.options import Fit
from tests.models.test_ladder import bounded
from tests.support.some_factorization import assert_program_agrees

pytestmark = pytest.mark.usefixtures("one_thread")
WHOLE = "noise+hierarchical+biases+features"


def problem(name=WHOLE, K=2, users=7, items=5):
    rng = torch.Generator().manual_seed(0)
    user, item = (torch.rand(users, items, generator=rng) < 0.6).nonzero(as_tuple=True)
    rating = 3 + 2 * torch.randn(len(user), generator=rng).double()
    data = Ratings(user, item, rating, users, items)
    model = fitted(named(name, users, items, K, pairs=(user, item)), data)
    return model, data, model.prior(rng), rng


@pytest.mark.parametrize("name", ["hierarchical+features", "hierarchical+biases+features", WHOLE])
def test_program_and_log_joint_agree(name):
    model, data, latents, _ = problem(name)
    assert_program_agrees(model, data, latents)


@pytest.mark.parametrize("side", ["U", "V"])
@pytest.mark.parametrize("engine", ["compiled", "torch"])
def test_rows_without_noise_are_where_the_log_joint_is_flat(side, engine):
    model, data, latents, _ = problem()
    new = ladder_gibbs.rows(model, latents, data, torch.zeros(7, 3).double(), torch.zeros(5, 3).double(), engine)
    rest = {**latents, **model.from_rows(model.rows(new, "U"), "U")}
    slope = torch.autograd.functional.jacobian(
        lambda rows: model.log_joint({**rest, **model.from_rows(rows, side)}, data), model.rows(new, side))
    assert_close(slope, torch.zeros_like(slope), atol=1e-8, rtol=0)


@pytest.mark.slow
def test_weights_and_hyperparameters_satisfy_steins_identity():
    """E[slope of log p] = 0 for x ~ p, and E[x . slope] = -(free entries), given the rest: 600 draws, each after its
    two blocks; 6 standard errors, at most 112 scores: false alarm 3e-7."""
    model, data, latents, rng = problem(K=1)
    values = []
    here = dict(latents)
    for _ in range(600):
        here |= ladder_gibbs.normal_wishart(rng, model, here)
        B = {s: here[s].clone().requires_grad_() for s in ("weights_U", "weights_V", "ridge_U", "ridge_V")}
        model.log_joint({**here, **B}, data).backward()
        values.append(torch.cat([torch.cat([x.grad.flatten() * (x.dim() > 0), ((x * x.grad).sum() + x.numel())[None]]
                                           ).detach() for x in B.values()]))
    table = torch.stack(values)
    table = table[:, table.std(0) > 0]  # of the slope in a ridge, whose density ends at 0, only its product is used
    z = table.mean(0) / (table.std(0) / math.sqrt(len(table)))
    assert float(z.abs().max()) < 6, z


def test_a_sweep_leaves_the_joint_distribution_alone():
    """As in test_ladder (Geweke 2004): 400 replicates, bounded functions, 6 standard errors: false alarm 2e-9 each."""
    model, _, _, rng = problem(K=1, users=5, items=4)
    changes = []
    for _ in range(400):
        old = model.prior(rng)
        data = model.simulate(rng, old)
        new, _ = ladder_gibbs.step(rng, ladder_gibbs.start(rng, model, data, old), model, data)
        a, b = (torch.stack([*bounded(x, model, data), torch.tanh(x["weights_U"].square().sum()),
                             torch.tanh((x["weights_V"].sum(0) * x["mean_V"]).sum()),
                             torch.tanh(x["ridge_U"]), torch.tanh(x["ridge_V"].log())]) for x in (new.latents, old))
        changes.append(a - b)
    table = torch.stack(changes)
    z = table.mean(0) / (table.std(0) / math.sqrt(len(table)) + 1e-12)
    assert float(z.abs().max()) < 6, z


@pytest.mark.slow
def test_a_sweep_inside_pyro_leaves_the_joint_distribution_alone():
    """`composite_gibbs_pyro` moves every site, and as above: 150 replicates, 6 standard errors: 2e-9 each."""
    model, _, _, rng = problem(K=1, users=4, items=3)
    assert {site for _, sites in composite_gibbs_pyro.blocks(model) for site in list(sites)} == set(model.sites)  # type: ignore[arg-type]
    changes = []
    for _ in range(150):
        old = model.prior(rng)
        data = model.simulate(rng, old)
        state = composite_gibbs_pyro.start(rng, model, data, old)
        state, _ = composite_gibbs_pyro.step(rng, state, model, data)
        new = composite_gibbs_pyro.draw(rng, state, model)
        a, b = (torch.stack([*bounded(x, model, data), torch.tanh(x["weights_U"].square().sum()),
                             torch.tanh(x["ridge_V"].log())]) for x in (new, old))
        changes.append(a - b)
    table = torch.stack(changes)
    z = table.mean(0) / (table.std(0) / math.sqrt(len(table)) + 1e-12)
    assert float(z.abs().max()) < 6 and bool((table.std(0) > 0).all()), z


@pytest.mark.parametrize("name", ["hierarchical+features", WHOLE])
def test_a_chain_starts_where_ratings_are_and_features_silent(name):
    """Judge: the ratings' own spread, which a draw from the prior is beyond."""
    rng = torch.Generator().manual_seed(4)
    user, item = (torch.rand(60, 40, generator=rng) < 0.5).nonzero(as_tuple=True)
    rating = torch.randn(60, generator=rng)[user].double() + torch.randn(40, generator=rng)[item]
    data = Ratings(user, item, rating, 60, 40)
    model = fitted(named(name, 60, 40, 2, pairs=(user, item)), data)
    latents = ladder_gibbs.init(rng, model, data).latents
    assert not any(bool(latents[f"weights_{side}"].any()) for side in "UV")
    off = [float((rating - model.expected(at, data)).std() / rating.std()) for at in (latents, model.prior(rng))]
    assert off[0] < 1 < off[1], off


def test_who_rated_what_is_used_where_it_tells():
    """Users of two tastes rate mostly what they like: with three ratings each, whom they rated says more than how.

    Judge: the ladder without features on the same split, by its standard error of the squared errors.
    """
    rng = torch.Generator().manual_seed(2)
    taste, kind = torch.arange(3000) % 2, torch.arange(30) % 2
    likely = torch.where(taste[:, None] == kind[None], 0.25, 0.02)
    user, item = (torch.rand(3000, 30, generator=rng) < likely).nonzero(as_tuple=True)
    rating = 3 + (taste[user] * 2.0 - 1) * (1 + 0.1 * kind[item]) + 1.5 * torch.randn(len(user), generator=rng)
    ratings = Ratings(user, item, rating.double(), 3000, 30)
    test = torch.arange(len(user)) % 3 == 0
    sets = Split(ratings.take(~test), ratings.take(torch.arange(0)), ratings.take(test))
    errors = {}
    for name in ("noise+hierarchical+biases", WHOLE):
        task = tasks.task(Fit(load.method("factorization", "ladder_gibbs"), {}), named(name, 3000, 30, 2), sets,
                          Plan(120, 1, 40, seed=1))
        found = drive(task.method, task.model, task.data, task.plan, record=task.record, observer=task.observer)
        errors[name] = (sets.test.rating - torch.as_tensor(found.expected["test_mean"])).square()
    gain = errors["noise+hierarchical+biases"] - errors[WHOLE]
    assert float(gain.mean()) > 2 * float(gain.std()) / len(gain) ** 0.5


def test_what_cannot_be_is_a_sentence():
    with pytest.raises(InputError, match="add hierarchical"):
        named("noise+features", 3, 2, 1)
    with pytest.raises(InputError, match="has no features yet"):
        named("hierarchical+features", 3, 2, 1).sites  # noqa: B018
    few = Ratings(torch.tensor([0]), torch.tensor([0]), torch.tensor([1.0]), 50_001, 500)
    with pytest.raises(InputError, match="keeps a number for every user and item"):
        fitted(named("hierarchical+features", 50_001, 500, 1), few)
    assert float(implicit((torch.tensor([0, 0]), torch.tensor([0, 1])), 2, 2).square().sum()) == pytest.approx(1)
