"""Natural-gradient steps, against coordinate ascent's closed forms and against torch's gradient of the ELBO."""

from itertools import pairwise

import pytest
import torch

from errors import InputError
from inference.factorization import coordinate_ascent, guide_mean_field_pyro
from inference.factorization.parts import natural
from inference.factorization.parts.by_row import sides
from inference.factorization.parts.mean_field_elbo import elbo
from models.ladder import make
from tests.support.small_ratings import some_ratings


def biased():
    pairs = (torch.arange(24) % 8, torch.arange(24) % 6)
    model, rng = make("biases", 8, 6, 2, pairs=pairs, noise_variance=0.7), torch.Generator().manual_seed(0)
    return model, model.simulate(rng, model.prior(rng))


def somewhere(model, full=False):
    rng = torch.Generator().manual_seed(1)
    q = {site: (mean, 0.1 + 0.2 * torch.rand(mean.shape, generator=rng, dtype=torch.float64))
         for site, mean in model.prior(rng).items()}
    if not full:
        return q
    return {site: (mean, torch.diag_embed(spread) + 0.05) for site, (mean, spread) in q.items()}


@pytest.mark.parametrize("covariance, K", [("row", 3), ("entry", 1)])
def test_a_step_of_rate_1_is_coordinate_ascents(covariance, K):
    """Whose closed form is the exact maximum; with one entry a row, independent entries are no restriction."""
    model, data = some_ratings(8, 6, 30, rank=K)
    rng = torch.Generator().manual_seed(0)
    state = coordinate_ascent.init(rng, model, data, covariance=covariance, engine="torch")
    q = natural.sweep(model, data, {"U": (state.mean_U, state.spread_U), "V": (state.mean_V, state.spread_V)})
    state, _ = coordinate_ascent.step(rng, state, model, data)
    for site in "UV":
        torch.testing.assert_close(q[site][0], getattr(state, f"mean_{site}"), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(q[site][1], getattr(state, f"spread_{site}"), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["covariances", "entries", "biases"])
def test_a_step_is_along_the_natural_gradient(kind, rate=1e-3):
    """Of `mean_field_elbo`'s ELBO, by autograd: precisions move by -2 rate dL/dS, means by rate S' dL/dm."""
    model, data = biased() if kind == "biases" else some_ratings(8, 6, 30, rank=3)
    full = kind == "covariances"
    q = somewhere(model, full)
    users, items = (natural.rows_of(model, q, side) for side in "UV")
    new = natural.step(sides(model, data)[1], model, items, users, rate)
    mean, spread = (model.from_rows(x, "V") for x in new)
    leaves = {site: tuple(x.clone().requires_grad_() for x in pair) for site, pair in q.items()}
    slopes = torch.autograd.grad(elbo(model, data, leaves), [x for site in mean for x in leaves[site]])
    for k, site in enumerate(mean):
        m, S = q[site]
        precision, moved = (torch.linalg.inv(x) if full else 1 / x for x in (S, spread[site]))
        torch.testing.assert_close(moved - precision, -2 * rate * slopes[2 * k + 1], rtol=1e-6, atol=1e-9)
        slope = slopes[2 * k]
        want = rate * (torch.einsum("nkl,nl->nk", spread[site], slope) if full else spread[site] * slope)
        torch.testing.assert_close(mean[site] - m, want, rtol=1e-7, atol=1e-12)


def test_the_elbo_never_falls_and_ends_at_the_optimum():
    """Coordinate ascent's, biases and all; on the way some rows would overshoot."""
    model, data = biased()
    state = coordinate_ascent.init(torch.Generator().manual_seed(0), model, data, engine="torch")
    for _ in range(200):
        state, info = coordinate_ascent.step(torch.Generator(), state, model, data)
    q, told = somewhere(model), []
    for _ in range(250):
        q = natural.sweep(model, data, q)
        told.append(float(elbo(model, data, q)))
    assert all(b > a - 1e-9 for a, b in pairwise(told))
    assert info.elbo is not None and told[-1] == pytest.approx(info.elbo, abs=0.05)


def test_a_guides_defaults_are_natural_and_sample_nothing():
    model, data = some_ratings(8, 5, 30, rank=2)
    ends = []
    for seed in (1, 2):
        state = guide_mean_field_pyro.init(torch.Generator().manual_seed(0), model, data)
        for _ in range(2):
            state, _ = guide_mean_field_pyro.step(torch.Generator().manual_seed(seed), state, model, data)
        ends.append(state)
    assert all(torch.equal(ends[0].params[name], ends[1].params[name]) for name in ends[0].params)
    assert state.natural and (state.epochs, state.steps, state.first) == (2, 4, {})


def test_adams_options_take_adams_steps_or_are_refused():
    model, data = some_ratings(8, 5, 30, rank=2)
    rng = torch.Generator()
    for given in ({"lr": 0.1}, {"batch_size": 10}, {"recipe": "reference"}, {"steps": "adam"}):
        assert not guide_mean_field_pyro.init(rng, model, data, **given).natural
    with pytest.raises(InputError, match="lr is of Adam's steps, and natural ones take all ratings"):
        guide_mean_field_pyro.init(rng, model, data, steps="natural", lr=0.1)
    with pytest.raises(InputError, match="unknown kind of steps 'natrual': did you mean 'natural'"):
        guide_mean_field_pyro.init(rng, model, data, steps="natrual")  # type: ignore[arg-type]
