"""Stochastic variational inference: the hand-written ELBO, Pyro's, the score function and the automatic guides."""

import itertools
import math
from dataclasses import replace
from functools import partial

import pyro
import pytest
import torch
from pyro.infer import TraceMeanField_ELBO

from errors import InputError
from inference.factorization import (
    coordinate_ascent,
    elbo_by_hand,
    guide_mean_field_pyro,
    score_function,
    svi_auto_pyro,
)
from inference.factorization.gradient_samples import gradient_samples, mean_and_variance
from inference.factorization.mean_field_elbo import elbo
from inference.factorization.stochastic import Gradient, adam, batches, moments
from inference.factorization.stochastic_pyro import borrowed
from models.factorization import Factorization, Ratings

MEAN_FIELD = [elbo_by_hand, guide_mean_field_pyro, score_function]
SVI = [*MEAN_FIELD, svi_auto_pyro]
ESTIMATORS: dict[str, Gradient] = {"2.4": elbo_by_hand.gradient, "2.3": score_function.gradient,
                                   "2.3 bare": partial(score_function.gradient, baseline=False)}
NODES = ((-math.sqrt(3), 1 / 6), (0.0, 2 / 3), (math.sqrt(3), 1 / 6))  # Gauss-Hermite, exact to degree 5


def some_ratings(num_users, num_items, count, rank=1, seed=0) -> tuple[Factorization, Ratings]:
    """A model of this rank, and `count` ratings simulated at random pairs."""
    rng = torch.Generator().manual_seed(seed)
    pick = torch.randperm(num_users * num_items, generator=rng)[:count]
    model = Factorization(num_users, num_items, rank, 1.5, 0.7, pairs=(pick // num_items, pick % num_items))
    return model, model.simulate(rng, model.prior(rng))


def jester_in_small(num_users, num_items, count) -> tuple[Factorization, Ratings]:
    """Whole ratings from 1 to 5 with generous users, good items and one factor, as in `data.jester_like`."""
    rng = torch.Generator().manual_seed(0)
    pick = torch.randperm(num_users * num_items, generator=rng)[:count]
    user, item = pick // num_items, pick % num_items
    a, c, x, y, e = (torch.randn(n, generator=rng, dtype=torch.float64)
                     for n in (num_users, num_items, num_users, num_items, count))
    rating = 3.1 + 0.45 * a[user] + 0.3 * c[item] + 0.5 * x[user] * y[item] + 0.8 * e
    return (Factorization(num_users, num_items, 2),
            Ratings(user, item, rating.round().clamp(1, 5), num_users, num_items, (1.0, 5.0)))


def some_params(model, seed=0, sd=1.0):
    rng = torch.Generator().manual_seed(seed)
    return {f"{site}_{what}": sd * torch.randn(shape, generator=rng, dtype=torch.float64)
            for site, shape in model.sites.items() for what in ("mean", "log_variance")}


def everything(data):
    return torch.arange(len(data))


def exact_gradient(model, data, params):
    """Of the closed-form ELBO, by torch."""
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    bound = elbo(model, data, moments(leaves))
    return bound.detach(), dict(zip(leaves, torch.autograd.grad(bound, list(leaves.values())), strict=True))


def quadrature(model, function):
    """E of function(noise) over independent N(0, 1) noise, exact for polynomials of degree 5 in every entry."""
    sizes = [math.prod(shape) for shape in model.sites.values()]
    total = 0.0
    for nodes in itertools.product(NODES, repeat=sum(sizes)):
        z = torch.tensor([node for node, _ in nodes], dtype=torch.float64)
        noise = {site: part.reshape(shape)
                 for (site, shape), part in zip(model.sites.items(), z.split(sizes), strict=True)}
        total = total + math.prod(weight for _, weight in nodes) * function(noise)
    return total


@pytest.mark.parametrize("gradient", ESTIMATORS.values(), ids=ESTIMATORS)
@pytest.mark.parametrize("shape", [(3, 2, 5, 1), (1, 2, 2, 2)], ids=str)
def test_estimates_and_gradients_are_unbiased(gradient, shape):
    """Not by sampling: the expectation over the noise by quadrature that is exact for these polynomials."""
    model, data = some_ratings(*shape)
    params = some_params(model)

    def flat(noise):
        value, ascent = gradient(model, data, params, noise, everything(data))
        return torch.cat([value.reshape(1), *(ascent[name].flatten() for name in params)])

    bound, exact = exact_gradient(model, data, params)
    expected = torch.cat([bound.reshape(1), *(exact[name].flatten() for name in params)])
    torch.testing.assert_close(quadrature(model, flat), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("gradient", ESTIMATORS.values(), ids=ESTIMATORS)
def test_sampled_gradients_average_to_the_exact_one(gradient):
    """Of random minibatches too; the largest of 80 z statistics exceeds 6.5 with probability below 1e-8
    (normal) at 4,000 samples."""
    model, data = some_ratings(6, 4, 20, rank=2)
    params = some_params(model, sd=0.3)
    rng = torch.Generator().manual_seed(5)
    mean, variance = mean_and_variance(gradient_samples(rng, gradient, model, data, params, 4000, batch_size=5))
    _, exact = exact_gradient(model, data, params)
    for name in params:
        assert float(((mean[name] - exact[name]) / (variance[name] / 4000).sqrt()).abs().max()) < 6.5


def test_gradient_is_that_of_estimate_by_torch_and_by_finite_differences():
    model, data = some_ratings(5, 4, 12, rank=2)
    params, noise = some_params(model), model.prior(torch.Generator().manual_seed(7))
    batch = torch.tensor([3, 4, 8])
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    value = elbo_by_hand.estimate(model, data, leaves, noise, batch)
    by_torch = dict(zip(leaves, torch.autograd.grad(value, list(leaves.values())), strict=True))
    ours, ascent = elbo_by_hand.gradient(model, data, params, noise, batch)
    assert float(ours) == pytest.approx(float(value.detach()), rel=1e-13)
    for name in params:
        torch.testing.assert_close(ascent[name], by_torch[name], rtol=1e-11, atol=1e-12)
        for at in ((0, 0), (2, 1)):
            ends = []
            for h in (-1e-5, 1e-5):
                moved = {n: v.clone() for n, v in params.items()}
                moved[name][at] += h
                ends.append(float(elbo_by_hand.estimate(model, data, moved, noise, batch)))
            assert (ends[1] - ends[0]) / 2e-5 == pytest.approx(float(ascent[name][at]), rel=1e-6, abs=1e-6)


def test_pyro_has_the_same_loss_and_gradient_given_the_same_noise():
    model, data = some_ratings(9, 6, 40, rank=3)
    params, batch = some_params(model), torch.arange(0, 40, 3)
    with borrowed(torch.Generator().manual_seed(3)):
        for name, value in params.items():
            pyro.param(name, value.clone())
        random = torch.get_rng_state()
        drawn = pyro.poutine.trace(guide_mean_field_pyro.guide).get_trace(data)
        noise = {site: (drawn.nodes[site]["value"] - params[f"{site}_mean"]).detach()
                 / torch.exp(0.5 * params[f"{site}_log_variance"]) for site in model.sites}
        torch.set_rng_state(random)
        loss = TraceMeanField_ELBO().loss_and_grads(model.program, guide_mean_field_pyro.guide, data, batch=batch)
        theirs = {name: value.grad for name, value in pyro.get_param_store().named_parameters()}
    value, ascent = elbo_by_hand.gradient(model, data, params, noise, batch)
    assert -loss == pytest.approx(float(value), rel=1e-12)
    for name in params:
        torch.testing.assert_close(theirs[name], -ascent[name], rtol=1e-9, atol=1e-9)


def test_minibatches_average_to_the_whole_elbo():
    model, data = some_ratings(7, 5, 24, rank=2)
    params, noise = some_params(model), model.prior(torch.Generator().manual_seed(8))
    parts = batches(torch.Generator().manual_seed(9), data, 6)
    assert [len(part) for part in parts] == [6] * 4 and torch.equal(torch.cat(parts).sort().values, everything(data))
    mean = sum(float(elbo_by_hand.estimate(model, data, params, noise, part)) for part in parts) / 4
    assert mean == pytest.approx(float(elbo_by_hand.estimate(model, data, params, noise)), rel=1e-13)
    assert [len(part) for part in batches(torch.Generator(), data, 23)] == [12, 12]


def test_adam_is_torchs():
    rng = torch.Generator().manual_seed(0)
    ours = torch.randn(4, generator=rng, dtype=torch.float64)
    theirs = ours.clone().requires_grad_()
    optimiser = torch.optim.Adam([theirs], lr=0.03)
    first, second = torch.zeros_like(ours), torch.zeros_like(ours)
    for t in range(1, 6):
        ascent = torch.randn(4, generator=rng, dtype=torch.float64)
        theirs.grad = -ascent
        optimiser.step()
        adam(ours, ascent, first, second, t, 0.03)
        torch.testing.assert_close(ours, theirs.detach(), rtol=1e-13, atol=0)


def test_pyros_epochs_are_the_hand_written_ones_where_there_is_no_noise():
    """Log-variances of -60 and one batch leave nothing random: this is Adam and its way through the state."""
    model, data = some_ratings(8, 5, 30, rank=2)
    rng = torch.Generator().manual_seed(0)
    states = []
    for method in (elbo_by_hand, guide_mean_field_pyro):
        state = method.init(rng, model, data, batch_size=30)
        params = some_params(model) | {f"{site}_log_variance": torch.full(shape, -60.0, dtype=torch.float64)
                                       for site, shape in model.sites.items()}
        state = replace(state, params=params)
        for _ in range(4):
            state, info = method.step(rng, state, model, data)
        states.append(state)
        assert state.steps == state.epochs == 4
    for group in ("params", "first", "second"):
        for name, value in getattr(states[0], group).items():
            torch.testing.assert_close(value, getattr(states[1], group)[name], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("method", [elbo_by_hand, guide_mean_field_pyro, svi_auto_pyro])
def test_defaults_reach_the_optimum(method):
    """Within 0.5% of the ELBO of coordinate ascent run to its end."""
    model, data = jester_in_small(200, 20, 3000)
    rng = torch.Generator().manual_seed(0)
    best = coordinate_ascent.init(rng, model, data, engine="torch")
    for _ in range(200):
        best, top = coordinate_ascent.step(rng, best, model, data)
    state = method.init(rng, model, data)
    for _ in range(20):
        state, info = method.step(rng, state, model, data)
    assert info.elbo == info.log_evidence and info.kind == "lower bound"
    assert top.elbo and info.elbo
    assert top.elbo - 0.005 * abs(top.elbo) < info.elbo < top.elbo + 0.001 * abs(top.elbo)


def test_reference_recipe_is_the_assignments():
    model, data = some_ratings(20, 6, 90, rank=2)
    state = elbo_by_hand.init(torch.Generator(), model, data, recipe="reference")
    assert set(state.rates.values()) == {0.001} and state.decay == 1
    assert all(bool((state.params[f"{site}_log_variance"] == -10).all()) for site in model.sites)


def test_score_function_is_noisier_and_its_baseline_helps():
    """Variances of 400 samples, summed over entries: each known to a few percent, and factors of 2 apart."""
    model, data = some_ratings(30, 8, 200, rank=2)
    params = some_params(model, sd=0.5)
    noise = {}
    for name, gradient in ESTIMATORS.items():
        rng = torch.Generator().manual_seed(1)
        _, variance = mean_and_variance(gradient_samples(rng, gradient, model, data, params, 400))
        noise[name] = float(sum(v.sum() for v in variance.values()))
    assert 2 * noise["2.4"] < noise["2.3"] < noise["2.3 bare"] / 2


def test_mean_and_variance_are_torchs():
    model, data = some_ratings(5, 4, 12)
    samples = list(gradient_samples(torch.Generator(), elbo_by_hand.gradient, model, data, some_params(model), 7))
    mean, variance = mean_and_variance(samples)
    for name in mean:
        stack = torch.stack([sample[name] for sample in samples])
        torch.testing.assert_close(mean[name], stack.mean(0))
        torch.testing.assert_close(variance[name], stack.var(0))


@pytest.mark.parametrize("method", SVI)
def test_same_seed_same_bytes_and_nothing_borrowed_is_kept(method):
    model, data = some_ratings(10, 5, 40, rank=2)

    def run():
        rng = torch.Generator().manual_seed(11)
        state = method.init(rng, model, data)
        for _ in range(2):
            state, info = method.step(rng, state, model, data)
        return state, info, method.draw(rng, state, model)

    with pyro.get_param_store().scope():
        pyro.param("mine", torch.ones(2))
        before = torch.get_rng_state()
        state, info, draw = run()
        assert torch.equal(before, torch.get_rng_state()) and list(pyro.get_param_store().keys()) == ["mine"]
        torch.rand(3)
        again, same, redraw = run()
    assert info == same and all(torch.equal(draw[site], redraw[site]) for site in draw)
    assert all(torch.equal(state.params[name], again.params[name]) for name in state.params)


@pytest.mark.parametrize("method", [elbo_by_hand, guide_mean_field_pyro])
def test_one_thread_or_two_give_the_same_bytes(method):
    """At a size where torch splits sums and products between threads (above 32,768 numbers)."""
    model, data = some_ratings(20_000, 10, 40_000, rank=2)
    state = method.init(torch.Generator(), model, data, batch_size=40_000)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(method.step(torch.Generator().manual_seed(1), state, model, data))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert found[0][1] == found[1][1]
    assert all(torch.equal(found[0][0].params[name], found[1][0].params[name]) for name in state.params)


@pytest.mark.parametrize("method", SVI)
def test_a_rate_that_diverges_is_stopped_with_what_to_try(method):
    model, data = some_ratings(10, 5, 40, rank=2)
    rng = torch.Generator().manual_seed(0)
    state = method.init(rng, model, data, lr=1e160)
    with pytest.raises(InputError, match=r"ELBO is not finite after \d+ gradient steps.*a smaller one, --lr 1e\+159"):
        for _ in range(3):
            state, _ = method.step(rng, state, model, data)


@pytest.mark.parametrize("wrong, says", [
    ({"lr": 0.0}, "learning rate must be a positive finite number, not 0.0"),
    ({"lr": math.nan}, "learning rate must be a positive finite number, not nan"),
    ({"batch_size": 41}, "a batch must hold between 1 and 40 ratings, all there are, not 41"),
    ({"batch_size": 0}, "a batch must hold between 1 and 40"),
])
@pytest.mark.parametrize("method", SVI)
def test_wrong_options_are_refused_in_a_sentence(method, wrong, says):
    model, data = some_ratings(10, 5, 40)
    with pytest.raises(InputError, match=says):
        method.init(torch.Generator(), model, data, **wrong)


def test_other_wrong_inputs_are_refused_in_a_sentence():
    model, data = some_ratings(10, 5, 40)
    rng = torch.Generator()
    with pytest.raises(InputError, match="unknown recipe 'refrence': did you mean 'reference'"):
        elbo_by_hand.init(rng, model, data, recipe="refrence")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="training set is empty"):
        guide_mean_field_pyro.init(rng, model, data.take(torch.arange(0)))
    with pytest.raises(InputError, match="10 users and 5 items, and the model is of 11 and 5"):
        elbo_by_hand.init(rng, Factorization(11, 5, 1), data)
    with pytest.raises(InputError, match="unknown guide 'AutoNorml': did you mean 'AutoNormal'"):
        svi_auto_pyro.init(rng, model, data, guide="AutoNorml")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at most 559240, or take the guide AutoNormal"):
        svi_auto_pyro.init(rng, model, data, guide="AutoLowRankMultivariateNormal", columns=600_000)


def fitted(guide, model, data, epochs=2, **options):
    rng = torch.Generator().manual_seed(2)
    state = svi_auto_pyro.init(rng, model, data, guide=guide, **options)
    for _ in range(epochs):
        state, info = svi_auto_pyro.step(rng, state, model, data)
    return state, info


def test_low_rank_guide_is_read_as_pyro_means_it():
    """Means and covariances of the guide's own posterior; E[u.v] from its covariances."""
    model, data = some_ratings(6, 4, 20, rank=2)
    state, info = fitted("AutoLowRankMultivariateNormal", model, data, columns=3)
    with borrowed(torch.Generator()):
        guide = svi_auto_pyro.automatic("AutoLowRankMultivariateNormal", model, data, 3)
        for name, value in pyro.get_param_store().named_parameters():
            value.data.copy_(state.params[name])
        q = guide.get_posterior()
        mean, covariance = q.mean.detach(), q.covariance_matrix.detach()
    loc, scale, factor = svi_auto_pyro.parts(state, model)
    flat_factor = torch.cat([factor[site].flatten(0, 1) for site in model.sites])
    flat_scale = torch.cat([scale[site].flatten() for site in model.sites])
    torch.testing.assert_close(torch.cat([loc[site].flatten() for site in model.sites]), mean)
    torch.testing.assert_close(flat_factor @ flat_factor.T + torch.diag(flat_scale**2), covariance)
    found = svi_auto_pyro.expect(state, model)
    second = covariance + mean.outer(mean)
    by_hand = [sum(float(second[2 * i + k, 12 + 2 * j + k]) for k in range(2))
               for i, j in zip(*(x.tolist() for x in data.pairs), strict=True)]
    assert found["prediction"].tolist() == pytest.approx(by_hand, rel=1e-10)
    assert found["U_var"].flatten().tolist() == pytest.approx(covariance.diagonal()[:12].tolist(), rel=1e-10)
    assert info.kind == "estimate" and math.isfinite(info.elbo)


def test_low_rank_draws_have_its_covariance():
    """z statistics of 5,000 draws' products; each of 20 exceeds 6 with probability 2e-9."""
    model, data = some_ratings(6, 4, 20, rank=1)
    state, _ = fitted("AutoLowRankMultivariateNormal", model, data, columns=2)
    loc, scale, factor = svi_auto_pyro.parts(state, model)
    rng = torch.Generator().manual_seed(4)
    draws = [svi_auto_pyro.draw(rng, state, model) for _ in range(5000)]
    U, V = (torch.stack([draw[site] - loc[site] for draw in draws]) for site in ("U", "V"))
    for i, j in zip(*(x.tolist() for x in data.pairs), strict=True):
        products = U[:, i, 0] * V[:, j, 0]
        expected = float(factor["U"][i, 0] @ factor["V"][j, 0])
        assert abs(float(products.mean()) - expected) < 6 * float(products.std()) / math.sqrt(5000)


def test_auto_delta_climbs_the_log_joint():
    """On whole batches, where nothing is random, to within 0.1% of where L-BFGS ends from there."""
    model, data = jester_in_small(100, 20, 1500)
    state, info = fitted("AutoDelta", model, data, epochs=150, batch_size=1500)
    loc, scale, _ = svi_auto_pyro.parts(state, model)
    assert info.elbo is None and info.objective == pytest.approx(float(model.log_joint(loc, data)), rel=1e-12)
    point = {site: value.clone().requires_grad_() for site, value in loc.items()}
    climber = torch.optim.LBFGS(list(point.values()), max_iter=200, line_search_fn="strong_wolfe")

    def descend():
        climber.zero_grad()
        (loss := -model.log_joint(point, data)).backward()
        return loss

    climber.step(descend)
    top = float(model.log_joint(point, data).detach())
    assert top - 0.001 * abs(top) < info.objective <= top
    assert all(torch.equal(svi_auto_pyro.draw(torch.Generator(), state, model)[site], loc[site]) for site in loc)
