"""ALS and SGD against the singular value decomposition (Eckart and Young; soft thresholds for MAP) and autograd."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from errors import InputError
from inference import load
from inference.drive import drive
from inference.factorization import maximum_likelihood
from inference.job import Plan
from models.densities import log_normal
from models.factorization import Factorization
from models.ratings import Ratings


def full_matrix(K=2, users=14, items=9):
    """Every user rates every item."""
    rng = torch.Generator().manual_seed(0)
    pairs = torch.cartesian_prod(torch.arange(users), torch.arange(items)).T
    model = Factorization(users, items, K, prior_variance=1.5, noise_variance=0.8, pairs=(pairs[0], pairs[1]))
    return model, model.simulate(rng, model.prior(rng))


def few_ratings(K=3):
    """Users with 0, 1, ... ratings of ten items, and some with all."""
    rng = torch.Generator().manual_seed(1)
    chosen = [torch.randperm(10, generator=rng)[: min(i, 10)] for i in range(20)]
    user = torch.tensor([i for i, items in enumerate(chosen) for _ in items])
    model = Factorization(20, 10, K, noise_variance=0.8, pairs=(user, torch.cat(chosen)))
    return model, model.simulate(rng, model.prior(rng))


def fit(model, data, steps, seed=1, **options):
    rng = torch.Generator().manual_seed(seed)
    state, trace = maximum_likelihood.init(rng, model, data, **options), []
    for _ in range(steps):
        state, info = maximum_likelihood.step(rng, state, model, data)
        trace.append(info.objective)
    return state, np.array(trace)


@pytest.mark.parametrize("K", [1, 2, 5])
def test_als_of_a_full_matrix_is_the_truncated_svd(K):
    model, data = full_matrix(K)
    state, _ = fit(model, data, 1500)
    left, values, right = torch.linalg.svd(data.rating.view(14, 9), full_matrices=False)
    expected = (left[:, :K] * values[:K]) @ right[:K]
    torch.testing.assert_close(state.U @ state.V.T, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("K", [1, 2, 5])
def test_map_of_a_full_matrix_is_the_soft_thresholded_svd(K):
    """Minimising |R - UV'|^2 / (2 sigma^2) + (|U|^2 + |V|^2) / (2 s): singular values (d - sigma^2 / s)+.

    Source: Srebro, Rennie and Jaakkola, Maximum-margin matrix factorization (2004): the trace norm as |U||V|.
    """
    model, data = full_matrix(K)
    state, _ = fit(model, data, 1500, map=True)
    left, values, right = torch.linalg.svd(data.rating.view(14, 9), full_matrices=False)
    shrunk = (values - model.noise_variance / model.prior_variance).clamp(min=0)
    expected = (left[:, :K] * shrunk[:K]) @ right[:K]
    torch.testing.assert_close(state.U @ state.V.T, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("engine", ["compiled", "torch"])
def test_a_user_with_fewer_ratings_than_factors_is_met_exactly(engine):
    """And their u is the one of least norm: the pseudoinverse's, given the items before the last update of V."""
    model, data = few_ratings()
    state, trace = fit(model, data, 60, engine=engine)
    U, _ = maximum_likelihood.als(torch.Generator(), state, model, data)
    for i in range(4):
        mine = data.user == i
        A, r = state.V[data.item[mine]], data.rating[mine]
        torch.testing.assert_close(U[i], torch.linalg.pinv(A) @ r, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(A @ U[i], r, rtol=1e-6, atol=1e-6)
    assert np.isfinite(trace).all()


def test_the_objective_is_log_joint_and_never_falls():
    model, data = few_ratings()
    state, trace = fit(model, data, 80, map=True)
    point = {"U": state.U, "V": state.V}
    assert trace[-1] == pytest.approx(float(model.log_joint(point, data)), rel=1e-12)
    assert np.diff(trace).min() > -1e-9
    state, trace = fit(model, data, 80)
    point = {"U": state.U, "V": state.V}
    prior = sum(log_normal(x, 0.0, model.prior_variance).sum() for x in point.values())
    assert trace[-1] == pytest.approx(float(model.log_joint(point, data) - prior), rel=1e-10)
    assert np.diff(trace[maximum_likelihood.RELEASED :]).min() > -1e-6


def test_map_is_a_stationary_point_of_log_joint():
    model, data = few_ratings()
    state, _ = fit(model, data, 3000, map=True)
    U, V = state.U.clone().requires_grad_(), state.V.clone().requires_grad_()
    model.log_joint({"U": U, "V": V}, data).backward()
    assert max(float(x.grad.abs().max()) for x in (U, V)) < 1e-4


@pytest.mark.parametrize("engine", ["compiled", "torch"])
@pytest.mark.parametrize("map", [False, True])
def test_sgd_of_one_batch_is_a_gradient_step(engine, map):
    """U moves by lr times the gradient of the objective, by autograd."""
    model, data = few_ratings()
    rng = torch.Generator().manual_seed(0)
    state = maximum_likelihood.init(rng, model, data, algorithm="sgd", map=map, lr=1e-3, batch_size=len(data),
                                    engine=engine)
    U, V = state.U.clone().requires_grad_(), state.V.clone().requires_grad_()
    prior = sum(log_normal(x, 0.0, model.prior_variance).sum() for x in (U, V))
    value = model.log_joint({"U": U, "V": V}, data) - (0 if map else prior)
    up_U, up_V = torch.autograd.grad(value, (U, V))
    new, _ = maximum_likelihood.step(rng, state, model, data)
    torch.testing.assert_close(new.U, state.U + 1e-3 * up_U, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(new.V, state.V + 1e-3 * up_V, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("map", [False, True])
def test_sgd_engines_agree(map):
    model, data = few_ratings()
    (a, _), (b, _) = (fit(model, data, 4, algorithm="sgd", map=map, batch_size=7, engine=e)
                      for e in ("compiled", "torch"))
    torch.testing.assert_close(a.U, b.U, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(a.V, b.V, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("batch_size", [1, 32, 145])
def test_the_default_rate_does_not_diverge(batch_size):
    model, data = few_ratings()
    _, trace = fit(model, data, 200, algorithm="sgd", batch_size=batch_size)
    assert trace[-1] > trace[0]


def test_sgd_comes_near_the_svd():
    """Its noise dies with the rate: the squared error is within 1% of the least possible."""
    model, data = full_matrix()
    state, _ = fit(model, data, 2000, algorithm="sgd", batch_size=4)
    least = float(torch.linalg.svdvals(data.rating.view(14, 9))[2:].square().sum())
    error = float((data.rating.view(14, 9) - state.U @ state.V.T).square().sum())
    assert least < error < 1.01 * least


@pytest.mark.parametrize("algorithm", ["als", "sgd"])
def test_same_seed_same_bytes_through_the_loop(algorithm):
    model, data = few_ratings()
    method = load.method("factorization", "maximum_likelihood")
    a, b = (drive(method, model, data, Plan(steps=5, seed=3), {"algorithm": algorithm}) for _ in range(2))
    assert np.array_equal(a.draws["U"], b.draws["U"]) and np.array_equal(a.trace["objective"], b.trace["objective"])


def test_stops_at_convergence():
    model, data = full_matrix()
    method = load.method("factorization", "maximum_likelihood")
    result = drive(method, model, data, Plan(steps=5000, tolerance=1e-9), {"map": True})
    assert result.converged and result.trace["objective"].shape[1] < 5000


@pytest.mark.parametrize("options, words", [
    ({"algorithm": "sdg"}, "did you mean 'sgd'"),
    ({"algorithm": "sgd", "batch_size": 0}, "a batch must hold between 1 and 145 ratings"),
    ({"algorithm": "sgd", "batch_size": 1000}, "a batch must hold between 1 and 145 ratings"),
    ({"algorithm": "sgd", "lr": -1.0}, "positive finite"),
    ({"algorithm": "sgd", "lr": math.nan}, "positive finite"),
    ({"engine": "fast"}, "unknown engine of maximum_likelihood"),
    ({"algorithm": "sgd", "lr": 50.0, "batch_size": 145}, "diverged in sweep .: try a learning rate"),
])
def test_wrong_input_is_one_sentence(options, words):
    model, data = few_ratings()
    with pytest.raises(InputError, match=words):
        fit(model, data, 9, **options)


def test_nothing_to_fit_and_other_sizes():
    model, data = few_ratings()
    none = torch.zeros(0, dtype=torch.int64)
    with pytest.raises(InputError, match="training set is empty"):
        fit(model, Ratings(none, none, none.double(), 20, 10), 1)
    with pytest.raises(InputError, match="the ratings are of 20 users"):
        fit(replace(model, num_users=19), data, 1)
