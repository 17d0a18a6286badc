"""Variational inference and maximum likelihood with a bias for every user and item (`--biases`)."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pyro
import pytest
import torch
from pyro.infer import TraceMeanField_ELBO

from errors import InputError
from inference import load
from inference.factorization import (
    coordinate_ascent,
    elbo_by_hand,
    guide_mean_field_pyro,
    maximum_likelihood,
    row_gibbs,
    score_function,
    svi_auto_pyro,
)
from inference.factorization.parts.gaussian import expected
from inference.factorization.parts.gradient_samples import gradient_samples, mean_and_variance
from inference.factorization.parts.mean_field_elbo import elbo
from inference.factorization.parts.stochastic import moments
from models.ladder import Ladder, make
from models.ratings import Ratings
from tests.support.small_ratings import jester_in_small, some_params

PRIOR = torch.distributions.Normal(*torch.tensor([0.0, math.sqrt(1.5)], dtype=torch.float64))


def biased(num_users=9, num_items=6, count=35, rank=2) -> tuple[Ladder, Ratings]:
    rng = torch.Generator().manual_seed(5)
    pick = torch.randperm(num_users * num_items, generator=rng)[:count]
    model = make("biases", num_users, num_items, rank, prior_variance=1.5, noise_variance=0.7,
                 pairs=(pick // num_items, pick % num_items))
    assert isinstance(model, Ladder)
    return model, model.simulate(rng, model.prior(rng))


def sampled(model, params, noise):
    return {site: mean + variance.sqrt() * noise[site] for site, (mean, variance) in moments(params).items()}


def noise_of(model, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return {site: torch.randn(shape, generator=rng, dtype=torch.float64) for site, shape in model.sites.items()}


def test_the_closed_form_elbo_is_the_expectation():
    """E_q[log joint] by quadrature (3 points an entry are exact for squares of products), and q's entropy."""
    model, data = biased(1, 1, 1, rank=1)
    params = some_params(model, seed=3, sd=0.7)
    q = moments(params)
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    total = 0.0
    for points in itertools.product(range(3), repeat=4):
        at = {site: (q[site][0] + q[site][1].sqrt() * nodes[p]) for site, p in zip(q, points, strict=True)}
        total += float(np.prod(weights[list(points)])) / (2 * math.pi) ** 2 * float(model.log_joint(at, data))
    entropy = sum(0.5 * float((1 + math.log(2 * math.pi) + variance.log()).sum()) for _, variance in q.values())
    assert float(elbo(model, data, q)) == pytest.approx(total + entropy, rel=1e-12)


def test_the_estimate_is_log_joint_and_its_gradient_is_torchs():
    model, data = biased()
    params, noise = some_params(model, seed=1, sd=0.5), noise_of(model)
    everything = torch.arange(len(data))
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    value = elbo_by_hand.elbo(model, data, leaves, noise)
    value.backward()
    by_hand, ascent = elbo_by_hand.gradient(model, data, params, noise, everything)
    assert float(by_hand) == pytest.approx(float(value.detach()), rel=1e-12)
    for name, leaf in leaves.items():
        torch.testing.assert_close(ascent[name], leaf.grad, rtol=1e-10, atol=1e-10)
    prior = sum(float(PRIOR.log_prob(x).sum())
                for x in sampled(model, params, noise).values())
    kl = sum(float(torch.distributions.kl_divergence(torch.distributions.Normal(m, v.sqrt()), PRIOR).sum())
             for m, v in moments(params).values())
    assert float(by_hand) == pytest.approx(float(model.log_joint(sampled(model, params, noise), data)) - prior - kl,
                                           rel=1e-12)


def test_pyro_has_the_same_elbo_from_the_same_noise():
    model, data = biased()
    params = some_params(model, seed=2, sd=0.5)
    batch = torch.arange(0, len(data), 2)
    with pyro.get_param_store().scope():
        for name, value in params.items():
            pyro.param(name, value.clone())
        torch.manual_seed(7)
        theirs = -TraceMeanField_ELBO().loss(model.program, guide_mean_field_pyro.guide, data, batch=batch)
    torch.manual_seed(7)
    order = ("U", "user_bias", "V", "item_bias")  # as the guide draws them
    noise = {site: torch.randn(model.sites[site], dtype=torch.float64) for site in order}
    assert theirs == pytest.approx(float(elbo_by_hand.elbo(model, data, params, noise, batch)), rel=1e-12)


@pytest.mark.slow
def test_the_score_function_is_unbiased():
    """4,000 samples of every entry's gradient; |t| <= 7 for 60 entries: false alarm at most 2e-10."""
    model, data = biased(4, 3, 8, rank=1)
    params = some_params(model, seed=4, sd=0.3)
    rng = torch.Generator().manual_seed(0)
    mean, variance = mean_and_variance(gradient_samples(rng, score_function.gradient, model, data, params, 4000))
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    slopes = torch.autograd.grad(elbo(model, data, moments(leaves)), list(leaves.values()))
    for name, slope in zip(leaves, slopes, strict=True):
        assert float(((mean[name] - slope).abs() / (variance[name] / 4000).sqrt().clamp(min=1e-9)).max()) < 7


def test_coordinate_ascent_is_the_same_compiled_and_in_torch():
    model, data = biased()
    ends = []
    for engine in ("torch", "compiled"):
        rng = torch.Generator().manual_seed(0)
        state = coordinate_ascent.init(rng, model, data, engine=engine)
        for _ in range(10):
            state, info = coordinate_ascent.step(rng, state, model, data)
        ends.append((state, info))
    assert ends[0][1].elbo == pytest.approx(ends[1][1].elbo, rel=1e-10)
    for name in ("mean_U", "spread_U", "mean_V", "spread_V"):
        torch.testing.assert_close(getattr(ends[0][0], name), getattr(ends[1][0], name), rtol=1e-8, atol=1e-10)


def test_coordinate_ascent_climbs_to_where_the_gradient_vanishes():
    model, data = biased()
    rng = torch.Generator().manual_seed(0)
    state = coordinate_ascent.init(rng, model, data)
    last = -math.inf
    for _ in range(400):
        state, info = coordinate_ascent.step(rng, state, model, data)
        assert info.elbo is not None and info.elbo >= last - 1e-9
        last = info.elbo
    found = coordinate_ascent.expect(state, model)
    params: dict[str, torch.Tensor] = {}
    for site in model.sites:
        params |= {f"{site}_mean": found[f"{site}_mean"].clone().requires_grad_(),
                   f"{site}_log_variance": found[f"{site}_var"].log().requires_grad_()}
    value = elbo(model, data, moments(params))
    assert last == pytest.approx(float(value.detach()), rel=1e-10)
    slopes = torch.autograd.grad(value, list(params.values()))
    assert all(float(slope.abs().max()) < 1e-4 for slope in slopes)


def test_draws_have_the_moments_that_expect_says():
    """The prediction's mean and variance over 4,000 draws; |t| <= 7 at 8 pairs: false alarm below 1e-10."""
    model, data = biased()
    few = replace(model, pairs=(data.user[:8], data.item[:8]))
    rng = torch.Generator().manual_seed(0)
    state = coordinate_ascent.init(rng, few, data)
    for _ in range(5):
        state, _ = coordinate_ascent.step(rng, state, few, data)
    said = coordinate_ascent.expect(state, few)
    draws = torch.stack([few.quantities(coordinate_ascent.draw(rng, state, few))["prediction"] for _ in range(4000)])
    t = (draws.mean(0) - said["prediction"]) / (said["prediction_var"] / 4000).sqrt()
    assert float(t.abs().max()) < 7
    square = (draws - said["prediction"]) ** 2
    assert float(((square.mean(0) - said["prediction_var"]) / (square.std(0) / 4000**0.5)).abs().max()) < 7


@pytest.mark.parametrize("method", [guide_mean_field_pyro, elbo_by_hand,
                                    pytest.param(svi_auto_pyro, marks=pytest.mark.slow)])
def test_stochastic_fits_reach_coordinate_ascent(method):
    """Within 0.5% of its ELBO, and never above it."""
    _, data = jester_in_small(200, 20, 3000)
    model = make("biases", 200, 20, 1, pairs=data.pairs)
    rng = torch.Generator().manual_seed(0)
    best = coordinate_ascent.init(rng, model, data)
    for _ in range(200):
        best, top = coordinate_ascent.step(rng, best, model, data)
    state = method.init(rng, model, data)
    for _ in range(20):
        state, info = method.step(rng, state, model, data)
    assert top.elbo and info.elbo
    assert top.elbo - 0.005 * abs(top.elbo) < info.elbo <= top.elbo + 1e-6
    assert {"user_bias", "item_bias"} < method.draw(rng, state, model).keys()
    assert "item_bias_mean" in method.expect(state, model)


@pytest.mark.parametrize("map", [False, True])
def test_als_ends_where_the_gradient_vanishes(map):
    model, data = biased(9, 6, 50, rank=1)
    rng = torch.Generator().manual_seed(0)
    state = maximum_likelihood.init(rng, model, data, map=map)
    for _ in range(600):
        state, info = maximum_likelihood.step(rng, state, model, data)
    point = {site: x.clone().requires_grad_() for site, x in maximum_likelihood.draw(rng, state, model).items()}
    value = model.log_joint(point, data)
    if not map:
        value = value - sum(PRIOR.log_prob(x).sum() for x in point.values())
    assert info.objective == pytest.approx(float(value.detach()), rel=1e-10)
    slopes = torch.autograd.grad(value, list(point.values()))
    assert all(float(slope.abs().max()) < (1e-6 if map else 1e-2) for slope in slopes)


def test_what_has_no_biases_says_so():
    model, data = biased()
    rng = torch.Generator()
    with pytest.raises(InputError, match="covariance=row for the model without biases"):
        coordinate_ascent.init(rng, model, data, covariance="row")
    with pytest.raises(InputError, match="sgd is for the model without biases"):
        maximum_likelihood.init(rng, model, data, algorithm="sgd")
    with pytest.raises(InputError, match=r"row_gibbs.*ladder_gibbs"):
        row_gibbs.init(rng, model, data)
    learned = make("noise+biases", 9, 6, 2)
    for method in (coordinate_ascent, elbo_by_hand, maximum_likelihood):
        with pytest.raises(InputError, match="no place for sigma2"):
            method.init(rng, learned, data)
    with pytest.raises(InputError, match="no place for sigma2"):
        elbo_by_hand.init(rng, learned, data, recipe="reference")
    assert "prediction_var" in expected(model, moments(some_params(model)))


@pytest.mark.parametrize("name", load.names("factorization"))
def test_every_method_takes_biases_or_says_in_a_sentence_that_it_does_not(name):
    """At least, it never leaves them out."""
    model, data = biased(5, 4, 12)
    rng = torch.Generator().manual_seed(0)
    method = load.method("factorization", name)
    try:
        state = method.init(rng, model, data)
    except InputError as refusal:
        assert "user_bias" in str(refusal)
        return
    state, _ = method.step(rng, state, model, data)
    assert method.draw(rng, state, model).keys() == model.sites.keys()
