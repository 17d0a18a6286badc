"""Coordinate ascent and the closed-form ELBO against quadrature, autograd, the exact evidence and their twins."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal

from errors import InputError
from inference import load
from inference.drive import drive
from inference.factorization import coordinate_ascent
from inference.factorization.parts.mean_field_elbo import elbo
from inference.job import Plan
from inference.method import Kind
from models.densities import log_normal
from models.factorization import Factorization
from models.ratings import Ratings

SHAPES = ["entry", "row"]


def problem(K=2, users=12, items=7, seed=0):
    """Ratings from the prior; user 3 and item 5 have none."""
    rng = torch.Generator().manual_seed(seed)
    seen = torch.rand(users, items, generator=rng) < 0.6
    seen[3], seen[:, 5] = False, False
    user, item = seen.nonzero(as_tuple=True)
    model = Factorization(users, items, K, prior_variance=1.5, noise_variance=0.8, pairs=(user, item))
    return model, model.simulate(rng, model.prior(rng)), rng


def fit(model, data, shape, steps, engine="compiled", seed=1):
    rng = torch.Generator().manual_seed(seed)
    state, bound = coordinate_ascent.init(rng, model, data, covariance=shape, engine=engine), -math.inf
    for _ in range(steps):
        state, info = coordinate_ascent.step(rng, state, model, data)
        assert info.elbo is not None and info.elbo > bound - 1e-9
        bound = info.elbo
    return state, bound


def moments(state):
    return {"U": (state.mean_U, state.spread_U), "V": (state.mean_V, state.spread_V)}


def test_elbo_against_quadrature():
    """One user, one item, K = 1: E_q [log p(u, v, r) - log q(u, v)] by Gauss and Hermite, exact for polynomials."""
    model = Factorization(1, 1, 1, prior_variance=1.5, noise_variance=0.8)
    zero = torch.zeros(1, dtype=torch.int64)
    data = Ratings(zero, zero, torch.tensor([1.3], dtype=torch.float64), 1, 1)
    m, s2, n, t2 = 0.4, 0.3, -0.9, 0.6
    x, w = np.polynomial.hermite_e.hermegauss(12)
    u = torch.tensor(m + math.sqrt(s2) * np.repeat(x, 12))[:, None, None]
    v = torch.tensor(n + math.sqrt(t2) * np.tile(x, 12))[:, None, None]
    log_q = (log_normal(u, m, s2) + log_normal(v, n, t2)).sum((1, 2))
    weight = torch.tensor(np.outer(w, w).ravel()) / (2 * math.pi)
    by_quadrature = (weight * (model.log_joint({"U": u, "V": v}, data) - log_q)).sum()
    for shape in ((1, 1), (1, 1, 1)):
        q = {site: (torch.full((1, 1), mean, dtype=torch.float64), torch.full(shape, variance, dtype=torch.float64))
             for site, mean, variance in (("U", m, s2), ("V", n, t2))}
        found = elbo(model, data, q)
        assert float(found) == pytest.approx(float(by_quadrature), rel=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_elbo_against_sampling(shape):
    """The mean of log p - log q over 40,000 draws of a random q, within 6 standard errors (false alarm 2e-9)."""
    model, data, rng = problem(K=3)
    q, draws, log_q = {}, {}, 0
    for site, (rows, K) in model.sites.items():
        root = 0.4 * torch.randn(rows, K, K, generator=rng, dtype=torch.float64)
        covariance = root @ root.mT + 0.1 * torch.eye(K, dtype=torch.float64)
        if shape == "entry":
            covariance = torch.diag_embed(covariance.diagonal(dim1=1, dim2=2))
        mean = torch.randn(rows, K, generator=rng, dtype=torch.float64)
        normal = MultivariateNormal(mean, covariance)
        z = torch.randn(40_000, rows, K, 1, generator=rng, dtype=torch.float64)
        draws[site] = mean + (normal.scale_tril @ z)[..., 0]
        log_q = log_q + normal.log_prob(draws[site]).sum(1)
        q[site] = (mean, covariance if shape == "row" else covariance.diagonal(dim1=1, dim2=2))
    each = model.log_joint(draws, data) - log_q
    assert abs(float(each.mean() - elbo(model, data, q))) < 6 * float(each.std()) / 200


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("K", [1, 2, 5])
def test_elbo_never_falls_and_is_the_closed_form(K, shape):
    model, data, rng = problem(K)
    state = coordinate_ascent.init(rng, model, data, covariance=shape)
    last = float(elbo(model, data, moments(state)))
    for _ in range(30):
        state, info = coordinate_ascent.step(rng, state, model, data)
        bound = float(elbo(model, data, moments(state)))
        assert info.elbo == pytest.approx(bound, rel=1e-12) and info.kind is Kind.LOWER
        assert bound >= last - 1e-9
        gain, last = bound - last, bound
    assert info.residual == pytest.approx(gain / len(data), abs=1e-12)


@pytest.mark.parametrize("shape", [pytest.param("entry", marks=pytest.mark.slow), "row"])
def test_fixed_point_has_no_gradient(shape):
    """The gradient of the closed-form ELBO in every mean and spread, by autograd, after 4,000 steps."""
    model, data, _ = problem()
    state, _ = fit(model, data, shape, 4000)
    q = {site: (mean.clone().requires_grad_(), spread.clone().requires_grad_())
         for site, (mean, spread) in moments(state).items()}
    elbo(model, data, q).backward()
    for mean, spread in q.values():
        assert float(mean.grad.abs().max()) < 1e-4
        assert float(spread.grad.abs().max()) < 1e-4


def evidence(model, data):
    """log p(r) for K = 1 and two items: V on a grid, U in closed form given V."""
    x = torch.linspace(-9, 9, 301, dtype=torch.float64)
    V = torch.cartesian_prod(x, x)
    log_p = log_normal(V, 0.0, model.prior_variance).sum(1)
    for i in range(model.num_users):
        mine = data.user == i
        A = V[:, data.item[mine], None]
        covariance = model.noise_variance * torch.eye(A.shape[1]) + model.prior_variance * A @ A.mT
        log_p = log_p + MultivariateNormal(torch.zeros_like(A[0, :, 0]), covariance).log_prob(data.rating[mine])
    return float(torch.logsumexp(log_p, 0)) + 2 * math.log(18 / 300)


def test_elbo_is_below_the_exact_evidence():
    user, item = torch.tensor([0, 0, 1, 2, 2]), torch.tensor([0, 1, 0, 0, 1])
    model = Factorization(3, 2, 1, prior_variance=1.5, noise_variance=0.8, pairs=(user, item))
    rng = torch.Generator().manual_seed(3)
    data = model.simulate(rng, model.prior(rng))
    exact = evidence(model, data)
    for shape in SHAPES:
        assert exact - 3 < fit(model, data, shape, 200)[1] < exact


def test_covariances_by_row_bound_more_tightly():
    model, data, _ = problem(K=3)
    assert fit(model, data, "row", 200)[1] > fit(model, data, "entry", 200)[1]


@pytest.mark.parametrize("shape", SHAPES)
def test_engines_agree(shape):
    model, data, _ = problem(K=5)
    (a, bound_a), (b, bound_b) = (fit(model, data, shape, 6, engine) for engine in ("compiled", "torch"))
    for site in ("U", "V"):
        for x, y in zip(moments(a)[site], moments(b)[site], strict=True):
            torch.testing.assert_close(x, y, rtol=1e-9, atol=1e-9)
    u, v = (coordinate_ascent.draw(torch.Generator().manual_seed(2), replace(a, engine=engine), model)["U"]
            for engine in ("compiled", "torch"))
    torch.testing.assert_close(u, v, rtol=1e-9, atol=1e-9)
    assert bound_a == pytest.approx(bound_b, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_draws_and_expectations_are_those_of_q(shape):
    """20,000 draws: every z score of a mean or variance below 6.5 (false alarm: 76 x 8e-11)."""
    model, data, rng = problem()
    state, n = fit(model, data, shape, 20)[0], 20_000
    found = coordinate_ascent.expect(state, model)
    draws = [coordinate_ascent.draw(rng, state, model) for _ in range(n)]
    U, V = (torch.stack([d[site] for d in draws]) for site in ("U", "V"))
    prediction = model.quantities({"U": U, "V": V})["prediction"]
    for x, mean, variance in ((U, found["U_mean"], found["U_var"]), (V, found["V_mean"], found["V_var"]),
                              (prediction, found["prediction"], found["prediction_var"])):
        assert float(((x.mean(0) - mean) * (n / variance).sqrt()).abs().max()) < 6.5
        square = (x - mean) ** 2
        assert float(((square.mean(0) - variance) / square.std(0) * n**0.5).abs().max()) < 6.5
    if shape == "row":
        covariance = torch.einsum("nik,nil->ikl", U - found["U_mean"], U - found["U_mean"]) / n
        torch.testing.assert_close(covariance, state.spread_U, rtol=0, atol=0.05)


def test_no_factor_stays_dead():
    """Ratings of rank 2 with little noise: every column of the items' means takes part."""
    rng = torch.Generator().manual_seed(5)
    model = Factorization(200, 20, 2, noise_variance=0.1)
    pairs = torch.cartesian_prod(torch.arange(200), torch.arange(20)).T
    model = replace(model, pairs=(pairs[0], pairs[1]))
    data = model.simulate(rng, model.prior(rng))
    state, _ = fit(model, data, "entry", 30)
    found = coordinate_ascent.expect(state, model)["prediction"]
    assert float((data.rating - found).square().mean()) < 2 * model.noise_variance


def test_same_seed_same_bytes_through_the_loop():
    model, data, _ = problem()
    for shape in SHAPES:
        a, b = (drive(load.method("factorization", "coordinate_ascent"), model, data, Plan(steps=4, draws=3, seed=9),
                      {"covariance": shape}) for _ in range(2))
        assert np.array_equal(a.draws["U"], b.draws["U"]) and np.array_equal(a.trace["elbo"], b.trace["elbo"])
        assert np.array_equal(a.expected["prediction"], b.expected["prediction"])


def test_wrong_input_is_one_sentence():
    model, data, rng = problem()
    with pytest.raises(InputError, match="did you mean 'row'"):
        coordinate_ascent.init(rng, model, data, covariance="rows")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="unknown engine of coordinate_ascent"):
        coordinate_ascent.init(rng, model, data, engine="fast")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="the ratings are of 12 users"):
        coordinate_ascent.init(rng, replace(model, num_users=5), data)
