"""Kernels of the factorization beside row Gibbs: against loops, Gaussian densities, autograd, quadrature, `--check`."""

import math

import numpy as np
import pytest
import torch

from checks.kernels.judge import judge
from checks.kernels.kernel import Kernel
from checks.verdict import Outcome
from errors import InputError
from inference import load
from inference.engine import one_thread
from inference.factorization import (
    collapsed_gibbs,
    entry_gibbs,
    hmc_within_gibbs,
    random_walk,
    sgld,
)
from inference.factorization.parts.by_row import sides
from models.factorization import Factorization
from models.ladder import make
from models.ratings import Ratings
from tests.support.some_factorization import problem

RIGHT = ("entry_gibbs", "collapsed_gibbs", "hmc_within_gibbs", "random_walk")


@pytest.fixture(autouse=True)
def quickly():
    with one_thread():
        yield


def columns_by_loops(own, other, row, column, rating, model, z):
    """Every entry from its conditional, one at a time, from the definition."""
    own = own.clone()
    for i in range(len(own)):
        mine = row == i
        v, r = other[column[mine]], rating[mine]
        for k in range(model.rank):
            rest = r - sum((own[i, m] * v[:, m] for m in range(model.rank) if m != k), torch.zeros(len(r)))
            precision = 1 / model.prior_variance + float((v[:, k] ** 2).sum()) / model.noise_variance
            mean = float((v[:, k] * rest).sum()) / model.noise_variance / precision
            own[i, k] = mean + z[i, k] / math.sqrt(precision)
    return own


@pytest.mark.parametrize("engine", ["compiled", "torch"])
@pytest.mark.parametrize("K", [1, 4])
def test_entries_by_loops(engine, K):
    model, data, rng = problem(K)
    users, items = sides(model, data)
    latents = model.prior(rng)
    z = torch.randn(12, K, generator=rng, dtype=torch.float64)
    columns = entry_gibbs._compiled if engine == "compiled" else entry_gibbs.conditional_columns
    before = latents["U"].clone()
    U = columns(users, latents["U"], latents["V"], model, z)
    expected = columns_by_loops(latents["U"], latents["V"], data.user, data.item, data.rating, model, z)
    torch.testing.assert_close(U, expected, rtol=1e-9, atol=1e-10)
    assert torch.equal(latents["U"], before)
    V = columns(items, latents["V"], U, model, z[:7])
    expected = columns_by_loops(latents["V"], U, data.item, data.user, data.rating, model, z[:7])
    torch.testing.assert_close(V, expected, rtol=1e-9, atol=1e-10)


def moments(x, r=1.2, s=1.5, noise=0.5):
    """E and E of the square of u v given one rating r, by quadrature; x: draws of u v. The two z scores."""
    grid = np.linspace(-9, 9, 1501)
    u, v = np.meshgrid(grid, grid)
    weight = np.exp(-(u**2 + v**2) / (2 * s) - (r - u * v) ** 2 / (2 * noise))
    found = []
    for power in (1, 2):
        expected = (weight * (u * v) ** power).sum() / weight.sum()
        found.append((np.mean(x**power) - expected) / (np.std(x**power) / math.sqrt(len(x))))
    return np.array(found)


@pytest.mark.parametrize("name", ["entry_gibbs", "hmc_within_gibbs"])
def test_stationary_distribution_against_quadrature(name):
    """20,000 pairs with one rating each are as many chains, 60 steps long; z scores below 6 (false alarm 4e-9)."""
    n = 20_000
    own = torch.arange(n)
    model = Factorization(n, n, 1, prior_variance=1.5, noise_variance=0.5)
    data = Ratings(own, own, torch.full((n,), 1.2, dtype=torch.float64), n, n)
    method, rng = load.method("factorization", name), torch.Generator().manual_seed(2)
    state = method.init(rng, model, data)
    for _ in range(60):
        state, _ = method.step(rng, state, model, data)
    assert np.abs(moments((state.U * state.V)[:, 0].numpy())).max() < 6


@pytest.mark.parametrize("name, steps", [("collapsed_gibbs", 40), ("random_walk", 100)])
def test_stationary_distribution_of_many_chains(name, steps):
    """10,000 chains in leading axes, from the prior, on one user, one item and one rating; z scores below 6."""
    from checks.problems.factorization.replicates import Replicates

    n, zero = 10_000, torch.zeros(1, dtype=torch.int64)
    model = Factorization(1, 1, 1, prior_variance=1.5, noise_variance=0.5)
    data = Replicates(zero, zero, torch.full((n, 1), 1.2, dtype=torch.float64), 1, 1)
    method, rng = load.method("factorization", name), torch.Generator().manual_seed(2)
    latents = {site: math.sqrt(1.5) * torch.randn(n, 1, 1, generator=rng, dtype=torch.float64) for site in "UV"}
    state = Kernel(method).start(rng, model, data, latents)
    for _ in range(steps):
        state, _ = method.step(rng, state, model, data)
    assert np.abs(moments((state.U * state.V)[:, 0, 0].numpy())).max() < 6


@pytest.mark.slow
@pytest.mark.parametrize("name", RIGHT)
def test_check_calls_it_right_at_full_size(name):
    verdict = judge(Kernel(load.method("factorization", name)), "factorization", seed=2)
    assert verdict.outcome is Outcome.RIGHT, verdict.headline


def test_leapfrog_is_of_second_order_and_a_long_step_is_refused():
    """Half the step over the same time: a quarter of the refusals, some 800 and 200 of 40,000 (6 se: 2.2 to 7)."""
    rng = torch.Generator().manual_seed(0)
    mean = torch.randn(40_000, 1, generator=rng, dtype=torch.float64)
    precision = torch.ones(40_000, 1, 1).double()
    start = mean + torch.randn(40_000, 1, generator=rng, dtype=torch.float64)
    refused = [1 - hmc_within_gibbs.trajectories(rng, start, mean, precision, 0.8 / n, 2 * n)[1] for n in (1, 2)]
    assert refused[0] > 0.01 and 2.2 < refused[0] / refused[1] < 7
    moved, accepted = hmc_within_gibbs.trajectories(rng, start, mean, precision, 40.0, 3)
    assert accepted == 0 and torch.equal(moved, start)


def test_the_walk_accepts_about_a_quarter_where_the_posterior_is_the_prior():
    """No ratings: N(0, s I) in 2,000 dimensions, where 2.4 / sqrt(d) of the width is accepted 23% of the time."""
    nothing = torch.arange(0)
    model = Factorization(900, 100, 2, prior_variance=3.0)
    data = Ratings(nothing, nothing, torch.zeros(0).double(), 900, 100)
    rng = torch.Generator().manual_seed(0)
    state, info = random_walk.step(rng, random_walk.init(rng, model, data, moves=2000), model, data)
    assert info.accept and 0.15 < info.accept < 0.32  # two thousand moves, correlated: standard error about 0.015


@pytest.mark.parametrize("module, options, message", [
    (random_walk, {"step_size": 0.0}, "step_size of random_walk must be a positive"),
    (random_walk, {"moves": 0}, "moves of random_walk must be at least 1"),
    (hmc_within_gibbs, {"step_size": math.inf}, "step_size of hmc_within_gibbs must be a positive"),
    (hmc_within_gibbs, {"leaps": 0}, "leaps of hmc_within_gibbs must be at least 1"),
    (sgld, {"step_size": -1.0}, "step_size of sgld must be a positive"),
    (sgld, {"decay": 2.0}, "decay of sgld must lie between 0"),
    (sgld, {"batch_size": 10**6}, "a batch must hold between 1 and"),
    (entry_gibbs, {"engine": "numba"}, "unknown engine of entry_gibbs"),
])
def test_wrong_options_are_one_sentence(module, options, message):
    model, data, rng = problem()
    with pytest.raises(InputError, match=message):
        module.init(rng, model, data, **options)


@pytest.mark.parametrize("module", [entry_gibbs, collapsed_gibbs, hmc_within_gibbs, random_walk, sgld])
def test_a_model_with_more_than_u_and_v_and_ratings_of_another_size_are_refused(module):
    model, data, rng = problem()
    with pytest.raises(InputError, match="infers U and V only, and this model also has sigma2"):
        module.init(rng, make("noise", 12, 7, 3), data)
    with pytest.raises(InputError, match="the ratings are of 12 users and 7 items"):
        module.init(rng, Factorization(11, 7, 3), data)
