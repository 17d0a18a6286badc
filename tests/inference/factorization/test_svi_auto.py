"""Pyro's automatic guides as methods, against what Pyro says of them and against L-BFGS."""

import math

import pyro
import pytest
import torch

from inference.factorization import svi_auto_pyro
from inference.factorization.parts.stochastic_pyro import fitting
from tests.support.small_ratings import jester_in_small, some_ratings


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
    with fitting(torch.Generator()):
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
