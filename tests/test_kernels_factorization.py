"""Kernels of the factorization beside row Gibbs: against loops, Gaussian densities, autograd, quadrature, `--check`."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal

from checks.judge import judge
from checks.kernel import Kernel
from checks.verdict import Outcome, Verdict
from errors import InputError
from inference import load
from inference.engine import one_thread
from inference.factorization import (
    collapsed_gibbs,
    entry_gibbs,
    hmc_within_gibbs,
    random_walk,
    row_conditional,
    sgld,
)
from inference.factorization.by_row import sides
from models.factorization import Factorization, Ratings
from models.ladder import make

RIGHT = ("entry_gibbs", "collapsed_gibbs", "hmc_within_gibbs", "random_walk")


@pytest.fixture(autouse=True)
def quickly():
    with one_thread():
        yield


def problem(K=3, users=12, items=7, seed=0):
    """About half of all pairs rated; user 3 and item 2 not at all."""
    rng = torch.Generator().manual_seed(seed)
    seen = torch.rand(users, items, generator=rng) < 0.5
    seen[3], seen[:, 2] = False, False
    user, item = seen.nonzero(as_tuple=True)
    model = Factorization(users, items, K, prior_variance=1.5, noise_variance=0.4, pairs=(user, item))
    return model, model.simulate(rng, model.prior(rng)), rng


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
    columns = entry_gibbs._compiled if engine == "compiled" else entry_gibbs._torch
    before = latents["U"].clone()
    U = columns(users, latents["U"], latents["V"], model, z)
    expected = columns_by_loops(latents["U"], latents["V"], data.user, data.item, data.rating, model, z)
    torch.testing.assert_close(U, expected, rtol=1e-9, atol=1e-10)
    assert torch.equal(latents["U"], before)
    V = columns(items, latents["V"], U, model, z[:7])
    expected = columns_by_loops(latents["V"], U, data.item, data.user, data.rating, model, z[:7])
    torch.testing.assert_close(V, expected, rtol=1e-9, atol=1e-10)


def collapsed_density(V, data, model):
    """log p(V, r) with U integrated out, from the definition: every user's ratings are jointly Gaussian."""
    total = MultivariateNormal(torch.zeros(model.rank).double(), model.prior_variance * torch.eye(model.rank).double()
                               ).log_prob(V).sum()
    for i in range(model.num_users):
        mine = data.user == i
        if mine.any():
            V_i = V[data.item[mine]]
            covariance = (model.prior_variance * V_i @ V_i.T
                          + model.noise_variance * torch.eye(len(V_i), dtype=torch.float64))
            total = total + MultivariateNormal(torch.zeros(len(V_i)).double(), covariance).log_prob(data.rating[mine])
    return total


def raters(V, data, model):
    users, order, counts = collapsed_gibbs._raters(data)
    rating = data.rating[order].split(counts)
    return users, rating, *collapsed_gibbs.conditional(V, users, rating, model)


def test_users_given_v_are_the_row_conditional():
    model, data, rng = problem()
    V = model.prior(rng)["V"]
    _, _, m, C = raters(V, data, model)
    expected = row_conditional.posterior(sides(model, data)[0], V, row_conditional.Prior.of(model), 0.4)
    torch.testing.assert_close(m, expected.mean, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(C, expected.spread, rtol=1e-9, atol=1e-10)


def test_the_slice_is_the_collapsed_density(monkeypatch):
    """On the ellipse through v_j the likelihood differs by what the joint Gaussians say, whatever the angle."""
    model, data, rng = problem()
    V = model.prior(rng)["V"]
    users, rating, m, C = raters(V, data, model)
    seen = []

    def stay(self, rng):
        seen.append(self)
        return torch.ones(1).double(), torch.zeros(1).double(), 1.0

    monkeypatch.setattr(collapsed_gibbs.Slice, "angle", stay)
    for j in (0, 4):
        i = users[j]
        state = torch.Generator().manual_seed(9)
        collapsed_gibbs.move(state, V[j], m[i], C[i].clone(), rating[j], model)
        w = math.sqrt(1.5) * torch.randn(3, generator=state.manual_seed(9), dtype=torch.float64)
        at = []
        for t in (0.0, 0.3, 2.5):
            moved = V.clone()
            moved[j] = math.cos(t) * V[j] + math.sin(t) * w
            prior = -0.5 * float(moved[j] @ moved[j]) / 1.5
            at.append((float(collapsed_density(moved, data, model)) - prior,
                       float(seen[-1].log_likelihood(torch.tensor([t], dtype=torch.float64)))))
        for joint, ours in at[1:]:
            assert joint - at[0][0] == pytest.approx(ours - at[0][1], rel=1e-9)


def test_after_a_move_the_users_are_those_of_the_new_v():
    model, data, rng = problem()
    V = model.prior(rng)["V"]
    users, rating, m, C = raters(V, data, model)
    for j in (0, 4):
        i = users[j]
        v, m_i, C_i, tried = collapsed_gibbs.move(rng, V[j], m[i], C[i], rating[j], model)
        assert not torch.equal(v, V[j]) and tried >= 1
        V = torch.cat([V[:j], v[None], V[j + 1:]])
        _, _, m, C = raters(V, data, model)
        torch.testing.assert_close(m_i, m[i], rtol=1e-8, atol=1e-9)
        torch.testing.assert_close(C_i, C[i], rtol=1e-8, atol=1e-9)


def test_a_pair_rated_twice_is_refused():
    twice = torch.tensor([0, 1, 1]), torch.tensor([1, 0, 0])
    data = Ratings(*twice, torch.ones(3).double(), 2, 2)
    with pytest.raises(InputError, match="user 1 rated item 0 more than once"):
        collapsed_gibbs.init(torch.Generator(), Factorization(2, 2, 1), data)


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
    from checks.replicates import Replicates

    n, zero = 10_000, torch.zeros(1, dtype=torch.int64)
    model = Factorization(1, 1, 1, prior_variance=1.5, noise_variance=0.5)
    data = Replicates(zero, zero, torch.full((n, 1), 1.2, dtype=torch.float64), 1, 1)
    method, rng = load.method("factorization", name), torch.Generator().manual_seed(2)
    latents = {site: math.sqrt(1.5) * torch.randn(n, 1, 1, generator=rng, dtype=torch.float64) for site in "UV"}
    state = Kernel(method).start(rng, model, data, latents)
    for _ in range(steps):
        state, _ = method.step(rng, state, model, data)
    assert np.abs(moments((state.U * state.V)[:, 0, 0].numpy())).max() < 6


@pytest.mark.parametrize("name", RIGHT)
def test_check_calls_it_right(name):
    """500 replicates; a right kernel fails with probability at most 1e-3, and this seed is fixed."""
    verdict = judge(Kernel(load.method("factorization", name)), "factorization", seed=1, looks=(500,), explain=False)
    assert verdict.outcome is Outcome.RIGHT, verdict.headline


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


def test_the_gradient_of_sgld_is_unbiased_and_has_no_noise_at_the_centre():
    model, data, rng = problem()
    latents = {site: x.requires_grad_() for site, x in model.prior(rng).items()}
    exact = torch.autograd.grad(model.log_joint(latents, data), list(latents.values()))
    U, V = (x.detach() for x in latents.values())
    state = sgld.start(rng, model, data, model.prior(rng))
    each = [sgld.gradient(state, U, V, model, data, torch.tensor([n])) for n in range(len(data))]
    for side in range(2):
        torch.testing.assert_close(sum(g[side] for g in each) / len(data), exact[side], rtol=1e-9, atol=1e-9)
    c_U, c_V = state.centre_U, state.centre_V
    at_centre = [sgld.gradient(state, c_U, c_V, model, data, torch.tensor([n]))[0] for n in (0, 9)]
    assert torch.equal(at_centre[0], at_centre[1])


def test_the_bias_of_sgld_is_there_and_goes_with_the_step():
    """The mean of (r - u v)^2 on 40,000 pairs with one rating each, against quadrature; six standard errors (1e-9)."""
    n = 40_000
    own = torch.arange(n)
    model = Factorization(n, n, 1, prior_variance=1.5, noise_variance=0.5)
    data = Ratings(own, own, torch.full((n,), 1.2, dtype=torch.float64), n, n)
    grid = np.linspace(-9, 9, 1501)
    u, v = np.meshgrid(grid, grid)
    weight = np.exp(-(u**2 + v**2) / 3 - (1.2 - u * v) ** 2)
    exact, off = float((weight * (1.2 - u * v) ** 2).sum() / weight.sum()), {}
    for size, steps in ((0.2, 100), (0.02, 400)):
        rng = torch.Generator().manual_seed(0)
        state = sgld.init(rng, model, data, step_size=size, batch_size=n)
        for _ in range(steps):
            state, _ = sgld.step(rng, state, model, data)
        error = (1.2 - (state.U * state.V)[:, 0]).square()
        off[size] = float(error.mean() - exact) / float(error.std() / math.sqrt(n))
    assert off[0.2] > 6 and off[0.02] < 6, off
    assert state.batches == 400 and sgld.EXACT is False


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


def test_a_bias_by_design_is_told_and_fails_all_of_none(tmp_path, capsys, monkeypatch):
    """`--check sgld` is wrong and 1; among all it is listed, and the status is that of the others."""
    from experiments import check
    from run import guarded

    def judged(method, *_):
        outcome = Outcome.WRONG if method.name == "sgld" else Outcome.RIGHT
        tested = [{"problem": "a", "replicates": 500, "functions": 9}]
        return Verdict(method.name, outcome, 0.001, ["too wide"] * (method.name == "sgld"), tested=tested)

    both = [("factorization", load.method("factorization", name)) for name in ("entry_gibbs", "sgld")]
    monkeypatch.setattr(check, "judged", judged)
    monkeypatch.setattr(check, "everything", lambda: both)
    assert guarded(["--check", "sgld", "--out", str(tmp_path / "a")]) == 1
    assert "sgld is approximate, as its file says (EXACT = False): too wide" in capsys.readouterr().out
    assert guarded(["--check", "all", "--out", str(tmp_path / "b")]) == 0
    assert "wrong, by design" in capsys.readouterr().out


def test_sgld_says_when_it_diverges():
    model, data, rng = problem()
    state = sgld.init(rng, model, data, step_size=200.0)
    with pytest.raises(InputError, match=r"sgld diverged within .* try a step_size below 200"):
        for _ in range(50):
            state, _ = sgld.step(rng, state, model, data)
