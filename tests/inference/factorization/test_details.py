"""Rates, residuals, steps and names of the methods for ratings, against the formulas in their docstrings."""

from dataclasses import replace

import pytest
import torch

from inference.factorization import coordinate_ascent, maximum_likelihood, sgld
from inference.factorization.parts import stochastic
from inference.factorization.predictive import Predictive
from inference.method import Family
from models.densities import log_normal
from models.factorization import Factorization
from models.ladder import make
from models.ratings import Ratings
from tests.support.small_ratings import some_ratings

RNG = torch.Generator()


def test_learning_rates_fall_by_the_epoch():
    state = stochastic.State({}, {}, {}, {"U_mean": 0.8}, 0.5, 10, epochs=3, steps=96)
    assert state.rate("U_mean") == pytest.approx(0.1)


def test_the_residual_of_coordinate_ascent_is_gained_by_a_rating():
    model, data = some_ratings(9, 7, 40, rank=2)
    state = coordinate_ascent.init(torch.Generator().manual_seed(0), model, data)
    state, first = coordinate_ascent.step(RNG, state, model, data)
    _, second = coordinate_ascent.step(RNG, state, model, data)
    assert first.residual is None and first.elbo is not None and second.elbo is not None
    assert second.residual == pytest.approx((second.elbo - first.elbo) / 40)


@pytest.mark.parametrize("engine", ["compiled", "torch"])
@pytest.mark.parametrize("with_priors", [False, True])
def test_a_pass_of_one_batch_goes_along_the_gradient(engine, with_priors):
    """U + rate d/dU log p(r | U, V), and of MAP log p(U) + log p(V) of the rows that are rated; the same of V."""
    model, data = some_ratings(6, 5, 16, rank=2)
    state = maximum_likelihood.init(torch.Generator().manual_seed(0), model, data, algorithm="sgd", map=with_priors,
                                    lr=1e-3, batch_size=len(data), engine=engine)
    rng = torch.Generator().manual_seed(1)
    tables = [torch.randn(x.shape, generator=rng, dtype=torch.float64) for x in (state.U, state.V)]
    U, V = (x.clone().requires_grad_() for x in tables)
    value = log_normal(data.rating, (U[data.user] * V[data.item]).sum(1), model.noise_variance).sum()
    for table, index in ((U, data.user), (V, data.item)):
        value = value + with_priors * log_normal(table[index.unique()], 0.0, model.prior_variance).sum()
    slopes = torch.autograd.grad(value, [U, V])
    state = replace(state, U=tables[0].clone(), V=tables[1].clone())
    moved, _ = maximum_likelihood.step(rng, state, model, data)
    for new, old, slope in zip((moved.U, moved.V), tables, slopes, strict=True):
        assert torch.allclose((new - old) / 1e-3, slope, atol=1e-8)


@pytest.mark.parametrize(("batches", "decay", "share"), [(0, 1.0, 1.0), (1000, 1.0, 1 / 2), (3000, 0.5, 1 / 2)])
def test_steps_of_langevin_fall_with_the_batches(monkeypatch, batches, decay, share):
    """Without noise and with L = I a step is h / 2 times the gradient, h = step_size / (1 + t / 1000)^decay."""
    model, data = some_ratings(6, 5, 16, rank=2)
    state = sgld.init(torch.Generator().manual_seed(0), model, data, step_size=0.01, decay=decay, batch_size=16)
    eye = torch.eye(2).double()
    state = replace(state, batches=batches, U=state.U + 0.1, L_U=eye.expand(6, 2, 2), L_V=eye.expand(5, 2, 2))
    monkeypatch.setattr(sgld, "normals", lambda rng, *shape: torch.zeros(shape).double())
    after, _ = sgld.step(torch.Generator().manual_seed(2), state, model, data)
    batch = torch.randint(16, (16,), generator=torch.Generator().manual_seed(2))
    for new, old, g in zip((after.U, after.V), (state.U, state.V),
                           sgld.gradient(state, state.U, state.V, model, data, batch), strict=True):
        assert torch.allclose(new - old, 0.005 * share * g, atol=1e-12)


def test_scored_pairs_have_the_names_of_their_users_and_items():
    data = Ratings(torch.tensor([2, 0]), torch.tensor([0, 1]), torch.ones(2).double(), 3, 2, None, ("a", "b", "c"),
                   (70, 71))
    observer = Predictive(Factorization(3, 2, 1), {"test": data}, Family.MCMC)
    assert {name: (axis, names.tolist()) for name, (axis, names) in observer.coords.items()} == {
        "test_user": ("test", ["c", "a"]), "test_item": ("test", [70, 71])}


def test_simulated_ratings_have_the_variance_that_was_drawn(monkeypatch):
    """For noise of 1 a rating is its mean plus the root of sigma2, whatever the model's own noise variance."""
    model = make("noise", 1, 2, 1, noise_variance=4.0, pairs=(torch.tensor([0, 0]), torch.tensor([0, 1])))
    latents = {"U": torch.tensor([[2.0]]).double(), "V": torch.tensor([[1.0], [3.0]]).double(),
               "sigma2": torch.tensor(0.25).double()}
    monkeypatch.setattr(torch, "randn", lambda *_, **__: torch.ones(2).double())
    assert model.simulate(RNG, latents).rating.tolist() == pytest.approx([2.5, 6.5])
