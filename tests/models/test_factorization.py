"""The factorization against sums written out by hand, torch.distributions, and its own Pyro program."""

import math
from dataclasses import replace

import pyro
import pytest
import torch
from pyro import poutine

from errors import InputError
from models.factorization import Factorization
from models.ratings import Ratings


def some_ratings(num_users=7, num_items=5, count=23, seed=0) -> Ratings:
    """`count` of all pairs, each at most once, with ratings near 3."""
    rng = torch.Generator().manual_seed(seed)
    pick = torch.randperm(num_users * num_items, generator=rng)[:count]
    rating = 3 + torch.randn(count, generator=rng, dtype=torch.float64)
    return Ratings(pick // num_items, pick % num_items, rating, num_users, num_items, scale=(1.0, 5.0))


def program_log_joint(model, latents, data, **batch):
    """log-probability of the Pyro program with U and V given."""
    with pyro.get_param_store().scope():
        trace = poutine.trace(poutine.condition(model.program, latents)).get_trace(data, **batch)
        return float(trace.log_prob_sum())


def test_log_joint_is_the_sum_over_entries_and_ratings():
    data = some_ratings()
    model = Factorization(7, 5, 2, prior_variance=3.0, noise_variance=0.7)
    latents = model.prior(torch.Generator().manual_seed(1))

    def log_normal(x, mean, variance):
        return -0.5 * math.log(2 * math.pi * variance) - (x - mean) ** 2 / (2 * variance)

    U, V = latents["U"].tolist(), latents["V"].tolist()
    by_hand = sum(log_normal(x, 0, 3.0) for row in U + V for x in row)
    for i, j, r in zip(data.user.tolist(), data.item.tolist(), data.rating.tolist(), strict=True):
        by_hand += log_normal(r, sum(u * v for u, v in zip(U[i], V[j], strict=True)), 0.7)
    assert float(model.log_joint(latents, data)) == pytest.approx(by_hand, rel=1e-13)


@pytest.mark.parametrize("seed", range(5))
def test_the_program_is_log_joint(seed):
    data = some_ratings(seed=seed)
    model = Factorization(7, 5, 1 + seed, prior_variance=0.5 + seed, noise_variance=2.0 / (1 + seed))
    latents = model.prior(torch.Generator().manual_seed(seed))
    assert program_log_joint(model, latents, data) == pytest.approx(float(model.log_joint(latents, data)), rel=1e-13)


def test_log_joint_of_a_batch_of_latents_is_each_ones_log_joint():
    data, model, rng = some_ratings(), Factorization(7, 5, 3), torch.Generator().manual_seed(2)
    each = [model.prior(rng) for _ in range(4)]
    batch = {site: torch.stack([latents[site] for latents in each]) for site in ("U", "V")}
    expected = torch.stack([model.log_joint(latents, data) for latents in each])
    torch.testing.assert_close(model.log_joint(batch, data), expected, rtol=1e-13, atol=0)


def test_minibatches_average_to_the_whole():
    """All 23 ratings in the 23 batches of 7 that start at each position in turn: each is in 7 of them."""
    data, model = some_ratings(), Factorization(7, 5, 2)
    latents = model.prior(torch.Generator().manual_seed(3))
    batches = [(torch.arange(7) + start) % 23 for start in range(23)]
    parts = [program_log_joint(model, latents, data, batch=batch) for batch in batches]
    assert sum(parts) / 23 == pytest.approx(program_log_joint(model, latents, data), rel=1e-13)


def test_batch_size_scales_the_likelihood():
    data, model = some_ratings(count=12), Factorization(7, 5, 2)
    same = replace(data, user=data.user[:1].expand(12), item=data.item[:1].expand(12),
                   rating=data.rating[:1].expand(12))  # twelve equal ratings: any 4 of them scaled by 3
    latents = model.prior(torch.Generator().manual_seed(4))
    with torch.random.fork_rng():
        part = program_log_joint(model, latents, same, batch_size=4)
    assert part == pytest.approx(program_log_joint(model, latents, same), rel=1e-13)


def test_prior_and_simulation_have_the_stated_moments():
    """z statistics of means and variances; each exceeds 5.5 with probability 4e-8."""
    model = Factorization(4000, 4, 3, prior_variance=5.0, noise_variance=0.25,
                          pairs=(torch.arange(4000), torch.arange(4000) % 4))
    rng = torch.Generator().manual_seed(5)
    latents = model.prior(rng)
    ratings = model.simulate(rng, latents)
    residual = ratings.rating - (latents["U"][ratings.user] * latents["V"][ratings.item]).sum(-1)
    for x, variance in ((latents["U"].flatten(), 5.0), (residual, 0.25)):
        assert abs(float(x.mean())) < 5.5 * math.sqrt(variance / len(x))
        assert abs(float(x.var()) / variance - 1) < 5.5 * math.sqrt(2 / len(x))
    assert latents["V"].shape == (4, 3) and latents["U"].dtype == torch.float64


def test_take_keeps_users_items_and_scale():
    part = some_ratings().take(torch.tensor([3, 1]))
    assert (len(part), part.num_users, part.num_items, part.scale) == (2, 7, 5, (1.0, 5.0))
    assert torch.equal(part.rating, some_ratings().rating[[3, 1]])
    few = some_ratings().user == 2
    assert torch.equal(some_ratings().take(few).item, some_ratings().item[few])


@pytest.mark.parametrize("wrong, says", [
    ({"rank": 0}, "rank must lie between 1 and the number of items, 5, not 0"),
    ({"rank": 6}, "rank must lie between 1 and the number of items, 5, not 6"),
    ({"num_users": 0}, "at least one user"),
    ({"prior_variance": -1.0}, "prior_variance must be a positive finite number, not -1.0"),
    ({"noise_variance": math.nan}, "noise_variance must be a positive finite number, not nan"),
])
def test_wrong_models_are_refused_in_a_sentence(wrong, says):
    with pytest.raises(InputError, match=says):
        Factorization(**({"num_users": 7, "num_items": 5, "rank": 2} | wrong))


@pytest.mark.parametrize("wrong, says", [
    ({"user": torch.tensor([0, 9])}, r"users of ratings must lie in 0..6; found 0..9"),
    ({"item": torch.tensor([-1, 2])}, r"items of ratings must lie in 0..4; found -1..2"),
    ({"item": torch.tensor([0.0, 1.0])}, "item of a rating must be an int64"),
    ({"rating": torch.tensor([1.0, math.nan])}, "ratings must be finite"),
    ({"rating": torch.tensor([1.0])}, "three vectors of one length"),
])
def test_wrong_ratings_are_refused_in_a_sentence(wrong, says):
    with pytest.raises(InputError, match=says):
        replace(some_ratings(count=2), **wrong)


def test_no_pairs_and_too_large_a_batch_are_refused():
    data, model = some_ratings(), Factorization(7, 5, 2)
    latents = model.prior(torch.Generator())
    assert model.quantities(latents) == {}
    with pytest.raises(InputError, match="does not say where its ratings are"):
        model.simulate(torch.Generator(), latents)
    with pytest.raises(InputError, match="between 1 and 23 ratings, all there are, not 24"):
        model.program(data, batch_size=24)
