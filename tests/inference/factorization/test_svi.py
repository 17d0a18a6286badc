"""Fits by stochastic gradients: Adam, the optimum, reproducibility, threads and wrong inputs."""

import math
from dataclasses import replace

import pyro
import pytest
import torch

from errors import InputError
from inference.factorization import (
    coordinate_ascent,
    elbo_by_hand,
    guide_mean_field_pyro,
    score_function,
    svi_auto_pyro,
)
from inference.factorization.parts.stochastic import adam
from models.factorization import Factorization
from tests.support.small_ratings import jester_in_small, some_params, some_ratings

SVI = [elbo_by_hand, guide_mean_field_pyro, score_function, svi_auto_pyro]


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


@pytest.mark.parametrize("method", [elbo_by_hand, guide_mean_field_pyro,
                                    pytest.param(svi_auto_pyro, marks=pytest.mark.slow)])
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
