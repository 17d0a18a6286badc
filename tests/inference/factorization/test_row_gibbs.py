"""Row-wise Gibbs against its definition written out, its twin, quadrature, and published numbers on Jester."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from errors import InputError
from inference import load
from inference.drive import drive
from inference.factorization import row_gibbs
from inference.factorization.parts.predict import predict
from inference.job import Plan
from models.factorization import Factorization
from models.ratings import Ratings
from tests.support import OUTSIDE

JESTER = OUTSIDE / "jester-5k.csv.gz"


def problem(K=3, users=25, items=11, seed=0):
    rng = torch.Generator().manual_seed(seed)
    seen = torch.rand(users, items, generator=rng) < 0.4
    seen[3] = False
    user, item = seen.nonzero(as_tuple=True)
    model = Factorization(users, items, K, prior_variance=1.5, noise_variance=0.8, pairs=(user, item))
    return model, model.simulate(rng, model.prior(rng)), rng


def conditional(data, given, row, other, i, model, z):
    mine = row == i
    A, r = given[other[mine]], data.rating[mine]
    precision = torch.eye(model.rank).double() / model.prior_variance + A.T @ A / model.noise_variance
    mean = torch.linalg.solve(precision, A.T @ r / model.noise_variance)
    return mean + torch.linalg.inv(torch.linalg.cholesky(precision)).T @ z


def test_a_sweep_is_users_given_items_then_items_given_the_new_users():
    model, data, rng = problem()
    state = row_gibbs.init(rng, model, data)
    z_U, z_V = (torch.randn(n, 3, generator=rng, dtype=torch.float64) for n in (25, 11))
    new = row_gibbs.sweep(state, model, data, z_U, z_V)
    U = torch.stack([conditional(data, state.V, data.user, data.item, i, model, z_U[i]) for i in range(25)])
    V = torch.stack([conditional(data, U, data.item, data.user, j, model, z_V[j]) for j in range(11)])
    torch.testing.assert_close(new.U, U, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(new.V, V, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("K", [1, 2, 4, 10])
def test_engines_give_the_same_chain_from_the_same_noise(K):
    model, data, _ = problem(K)
    states = []
    for engine in ("compiled", "torch"):
        rng = torch.Generator().manual_seed(4)
        state = row_gibbs.init(rng, model, data, engine=engine)
        for _ in range(5):
            state, _ = row_gibbs.step(rng, state, model, data)
        states.append(state)
    torch.testing.assert_close(states[0].U, states[1].U, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(states[0].V, states[1].V, rtol=1e-9, atol=1e-9)


def test_stationary_distribution_against_quadrature():
    """20,000 pairs of a user and an item with one rating each are as many chains; their last states are independent.

    E and E of the square of u v given r by quadrature on a grid; both z scores below 6 (false alarm 4e-9).
    """
    n, r, s, noise = 20_000, 1.2, 1.5, 0.5
    own = torch.arange(n)
    model = Factorization(n, n, 1, prior_variance=s, noise_variance=noise)
    data = Ratings(own, own, torch.full((n,), r, dtype=torch.float64), n, n)
    rng = torch.Generator().manual_seed(2)
    state = row_gibbs.init(rng, model, data)
    for _ in range(60):
        state, _ = row_gibbs.step(rng, state, model, data)
    x = np.linspace(-9, 9, 2001)
    u, v = np.meshgrid(x, x)
    weight = np.exp(-(u**2 + v**2) / (2 * s) - (r - u * v) ** 2 / (2 * noise))
    uv = (state.U * state.V)[:, 0].numpy()
    for power in (1, 2):
        expected = (weight * (u * v) ** power).sum() / weight.sum()
        assert abs(np.mean(uv**power) - expected) < 6 * np.std(uv**power) / math.sqrt(n)


def test_same_seed_same_bytes_through_the_loop():
    model, data, _ = problem()
    a, b = (drive(load.method("factorization", "row_gibbs"), model, data, Plan(steps=6, chains=2, warmup=2, seed=9))
            for _ in range(2))
    assert a.draws["U"].shape == (2, 4, 25, 3)
    assert np.array_equal(a.draws["U"], b.draws["U"]) and np.array_equal(a.draws["V"], b.draws["V"])
    assert not np.array_equal(a.draws["U"][0], a.draws["U"][1])


def test_wrong_input_is_one_sentence():
    model, data, rng = problem()
    with pytest.raises(InputError, match="unknown engine of row_gibbs 'numba'"):
        row_gibbs.init(rng, model, data, engine="numba")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="the ratings are of 25 users"):
        row_gibbs.init(rng, Factorization(24, 11, 3), data)


def jester():
    """The course's five levels from the scale -10..10, split 90/10 at random."""
    table = pd.read_csv(JESTER)
    user, item = (torch.from_numpy(table[name].to_numpy(np.int64) - 1) for name in ("user", "item"))
    level = torch.from_numpy(table["rating"].to_numpy(copy=True)).add(10).div(4).ceil().clamp(1, 5)
    everything = Ratings(user, item, level, 5000, 100)
    order = torch.randperm(len(level), generator=torch.Generator().manual_seed(0))
    cut = round(0.9 * len(level))
    return everything.take(order[:cut]), everything.take(order[cut:])


@pytest.mark.skipif(not JESTER.exists(), reason="needs ../shared/data/jester-5k.csv.gz")
@pytest.mark.parametrize("K, nll, rmse", [(2, 1.479, 1.060), (10, 1.426, 1.008)])
def test_jester_test_error_is_the_published_one(K, nll, rmse):
    """The numbers of issue 4, a plain Gibbs sampler of somebody else's, 50 + 100 sweeps.

    Another random split of 36,000 test ratings moves the means by about 0.004 (one standard error), so 0.02 it is.
    """
    train, test = jester()
    model = Factorization(5000, 100, K)
    rng = torch.Generator().manual_seed(1)
    state = row_gibbs.init(rng, model, train)
    density, mean = (torch.zeros(len(test), dtype=torch.float64) for _ in range(2))
    for sweep in range(150):
        state, _ = row_gibbs.step(rng, state, model, train)
        if sweep >= 50:
            error = test.rating - predict(state.U, state.V, test.user, test.item)
            density += torch.exp(-0.5 * error**2) / math.sqrt(2 * math.pi) / 100
            mean += (test.rating - error) / 100
    assert float(-density.log().mean()) == pytest.approx(nll, abs=0.02)
    assert float(((test.rating - mean) ** 2).mean().sqrt()) == pytest.approx(rmse, abs=0.02)
