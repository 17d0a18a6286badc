"""What grids and their methods say besides marginals: shares, shapes, standard errors, fingerprints; all by hand."""

import math
from dataclasses import replace

import pytest
import torch

from inference.grid import annealed_importance_sampling as ais
from inference.grid import parallel_tempering, simulated_annealing, structured_mean_field
from inference.grid import perfect_sampling as perfect
from models.grid import GridMRF
from tests.support.mixed_grids import mixed

IMAGE = torch.nn.functional.one_hot(torch.tensor([[0, 1, 1], [1, 0, 1]]), 2).double()


def test_a_tempered_grid_weighs_an_image_that_is_given_too():
    model = replace(mixed(2, 3, 2), evidence=1.5)
    y = {"labels": model.configurations}
    assert torch.allclose(model.scaled(0.25).log_joint(y, IMAGE), 0.25 * model.log_joint(y, IMAGE))


def test_the_fingerprint_is_of_what_is_seen_however_it_is_given():
    """The image in the model or as data is one; another image is another."""
    inside = GridMRF.potts(IMAGE, 2.0, (1.0, 0.0))
    blank = GridMRF.potts(torch.zeros_like(IMAGE), 2.0, (1.0, 0.0))
    seen, beside, other, none = (model.facts(data)["data"]["grid"]["fingerprint"] for model, data in (
        (inside, None), (blank, IMAGE), (blank, 1 - IMAGE), (blank, None)))
    assert seen == beside and len({seen, other, none}) == 3


@pytest.mark.parametrize("lines", structured_mean_field.LINES)
def test_draws_of_chains_along_columns_are_turned_back(lines):
    """Fields of 50 nats decide every label."""
    model = GridMRF.potts(IMAGE, 50.0, (1.0, 0.0))
    state = structured_mean_field.init(torch.Generator(), model, None, lines=lines)
    drawn = structured_mean_field.draw(torch.Generator().manual_seed(0), state, model)["labels"]
    assert drawn.tolist() == IMAGE.argmax(-1).tolist()


def test_the_standard_error_of_a_mean_weight():
    """Weights 1, 1, 1 and 5: mean 2, sd 2, so sd / (mean sqrt 4) = 1/2."""
    log_w = torch.tensor([1.0, 1.0, 1.0, 5.0]).double().log() + 700
    assert ais.standard_error(log_w) == pytest.approx(0.5)
    assert ais.log_mean(log_w) == pytest.approx(math.log(2) + 700)
    assert ais.standard_error(log_w[:1]) is None and ais.standard_error(log_w[:3]) is None


@pytest.mark.parametrize("engine", ["compiled", "torch"])
def test_annealing_sweeps_at_inverse_temperatures_that_rise(engine, monkeypatch):
    """Temperatures 8, 4, 2 and 1: every sweep is of p to the power of one over its own."""
    asked, real = [], simulated_annealing.sweep

    def sweep(labels, field, model, beta, *more):
        asked.append(beta)
        return real(labels, field, model, beta, *more)

    monkeypatch.setattr(simulated_annealing, "sweep", sweep)
    model = GridMRF.potts(IMAGE, 1.0, (0.5, 0.0))
    rng = torch.Generator().manual_seed(0)
    state = simulated_annealing.init(rng, model, None, start=8.0, cooling=0.5, engine=engine)
    for _ in range(4):
        state, _ = simulated_annealing.step(rng, state, model, None)
    assert asked == [1 / 8, 1 / 4, 1 / 2, 1.0] and state.temperature == 0.5


def test_the_share_of_swaps_is_of_those_offered():
    """Equal copies always swap; where the hot one is worse by 1,000 nats it never does."""
    betas, always = torch.tensor([1.0, 0.5, 0.25]).double(), torch.tensor([0.9, 0.9]).double()
    assert parallel_tempering.swaps(betas, torch.zeros(3).double(), always) == ([1, 2, 0], 1.0)
    worse = torch.tensor([0.0, -1000.0, -1000.0]).double()
    assert parallel_tempering.swaps(betas, worse, always) == ([0, 2, 1], 0.5)


def test_a_perfect_draw_is_where_every_start_further_back_comes_to():
    """The same noise from 64 sweeps back, from labels of either kind, for 40 seeds."""
    model = GridMRF.potts(IMAGE, 0.5, (0.8, 0.0))
    field = model.field(None)
    for seed in range(40):
        found = perfect.coupled(seed, field, model, 64, "torch")
        both = torch.stack([torch.zeros(2, 3), torch.ones(2, 3)]).to(torch.uint8)
        for t in range(64, 0, -1):
            both = perfect.sweep(both, field, model, perfect.noise(seed, t, 2, 3), "torch")
        assert torch.equal(both[0], both[1]) and torch.equal(found, both[0])
