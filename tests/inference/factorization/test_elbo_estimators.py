"""Estimators of the ELBO and of its gradient, against quadrature, torch's autograd, finite differences and Pyro."""

import itertools
import math
from functools import partial

import pyro
import pytest
import torch
from pyro.infer import TraceMeanField_ELBO

from inference.factorization import elbo_by_hand, guide_mean_field_pyro, score_function
from inference.factorization.parts.gradient_samples import gradient_samples, mean_and_variance
from inference.factorization.parts.mean_field_elbo import elbo
from inference.factorization.parts.stochastic import Gradient, batches, moments
from inference.factorization.parts.stochastic_pyro import fitting
from tests.support.small_ratings import some_params, some_ratings

ESTIMATORS: dict[str, Gradient] = {"2.4": elbo_by_hand.gradient, "2.3": score_function.gradient,
                                   "2.3 bare": partial(score_function.gradient, baseline=False)}
NODES = ((-math.sqrt(3), 1 / 6), (0.0, 2 / 3), (math.sqrt(3), 1 / 6))  # Gauss-Hermite, exact to degree 5


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


@pytest.mark.slow
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
    value = elbo_by_hand.elbo(model, data, leaves, noise, batch)
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
                ends.append(float(elbo_by_hand.elbo(model, data, moved, noise, batch)))
            assert (ends[1] - ends[0]) / 2e-5 == pytest.approx(float(ascent[name][at]), rel=1e-6, abs=1e-6)


def test_pyro_has_the_same_loss_and_gradient_given_the_same_noise():
    model, data = some_ratings(9, 6, 40, rank=3)
    params, batch = some_params(model), torch.arange(0, 40, 3)
    with fitting(torch.Generator().manual_seed(3)):
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
    mean = sum(float(elbo_by_hand.elbo(model, data, params, noise, part)) for part in parts) / 4
    assert mean == pytest.approx(float(elbo_by_hand.elbo(model, data, params, noise)), rel=1e-13)
    assert [len(part) for part in batches(torch.Generator(), data, 23)] == [12, 12]


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
