"""Folding in: against quadrature over the new user's factor, and Bayesian linear regression written out."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from scipy import stats

from inference.factorization import ladder_gibbs
from inference.factorization.fitted.fold_in import components, features_of, fold_in, means
from inference.job import generator
from models.factorization import Factorization
from models.features import Featured, informed, named
from models.ladder import Ladder, make
from models.ordinal import Ordinal, OrdinalTimed
from models.ratings import Ratings
from models.rungs.time import DAY
from models.side_information import Column, Encoding, Known
from models.timed import Timed, dated

MODELS = ("plain", "noise+hierarchical+biases", "biases", "noise", "hierarchical")
NEW = Ratings(torch.tensor([0, 0, 0, 2]), torch.tensor([0, 2, 3, 1]),
              torch.tensor([4.0, 2.5, 1.0, 5.0], dtype=torch.float64), 3, 5)  # user 1 has no rating


def draws(model: Factorization, count: int = 3) -> list:
    rng = generator(0, "draws")
    return [model.prior(rng) for _ in range(count)]


@pytest.mark.parametrize("name", MODELS)
def test_against_linear_regression_written_out(name):
    """What a refit with V and the rest fixed has for the user: N(mu, S), and what it predicts for every item."""
    model = make(name, 6, 5, 2)
    drawn = draws(model)
    rows = fold_in(model, drawn, NEW)
    user, item = np.repeat([0, 1, 2], 5), np.tile(np.arange(5), 3)
    m, s = components(model, drawn, rows, user, item)
    for d, latents in enumerate(drawn):
        V = latents["V"].numpy()
        c = latents["item_bias"].numpy() if "item_bias" in latents else np.zeros(5)
        X = np.column_stack([V, np.ones(5)]) if "item_bias" in latents else V
        noise = float(latents.get("sigma2", 1.0))
        D = X.shape[1]
        precision = latents["precision_U"].numpy() if "precision_U" in latents else np.eye(D) / 5
        centre = latents["mean_U"].numpy() if "mean_U" in latents else np.zeros(D)
        for k, (items, r) in enumerate((([0, 2, 3], [4, 2.5, 1]), ([], []), ([1], [5]))):
            A = X[items]
            S = np.linalg.inv(precision + A.T @ A / noise)
            mu = S @ (precision @ centre + A.T @ (np.array(r) - c[items]) / noise)
            assert np.allclose(m[d, user == k], X @ mu + c)
            assert np.allclose(s[d, user == k], np.einsum("jk,kl,jl->j", X, S, X) + noise)
    assert np.allclose(means(model, drawn, rows, np.array([2, 0])), m.mean(0).reshape(3, 5)[[2, 0]])


def test_against_quadrature_over_the_factor():
    """K = 1: the predictive distribution of a rating is the integral over u of N(r | u v, 1) p(u | V, r)."""
    model = make("plain", 6, 5, 1)
    latents = draws(model, 1)
    m, s = components(model, latents, fold_in(model, latents, NEW), np.array([0]), np.array([4]))
    v = latents[0]["V"][:, 0].numpy()
    u = np.linspace(-25, 25, 200_001)
    log = stats.norm(0, np.sqrt(5)).logpdf(u) + sum(stats.norm(u * v[j], 1).logpdf(r)
                                                   for j, r in ((0, 4), (2, 2.5), (3, 1)))
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    for r in (-1.0, 0.5, 2.0):
        assert stats.norm(m[0, 0], np.sqrt(s[0, 0])).cdf(r) == pytest.approx(weight @ stats.norm(u * v[4], 1).cdf(r))


def test_a_refit_with_the_items_fixed_draws_the_same():
    """50,000 draws of the conditional that Gibbs uses; means within five standard errors: 1 in 600,000 each, six."""
    from inference.factorization.parts.by_row import by_user_and_item
    from inference.factorization.parts.row_conditional import Prior, draw

    model, count = make("plain", 6, 5, 2), 50_000
    latents = draws(model, 1)[0]
    rows = fold_in(model, [latents], NEW)
    one = NEW.take(NEW.user == 0)
    many = Ratings(torch.arange(count).repeat_interleave(3), one.item.repeat(count), one.rating.repeat(count), count, 5)
    z = torch.randn(count, 2, dtype=torch.float64, generator=generator(0, "refit"))
    drawn = draw(by_user_and_item(many)[0], latents["V"], Prior.of(model), 1.0, z)
    sd = rows.covariance[0, 0].diagonal().sqrt()
    assert bool((((drawn.mean(0) - rows.mean[0, 0]) / sd).abs() < 5 / count**0.5).all())
    assert torch.allclose(drawn.T.cov(), rows.covariance[0, 0], rtol=5 * (2 / count) ** 0.5, atol=0.05)


AGE = Encoding((Column("age"),))


def featured(users: int, pairs: tuple, age: torch.Tensor):
    """A model with who rated what and an age of each user, five items."""
    model = named("noise+hierarchical+biases+features", users, 5, 2)
    assert isinstance(model, Featured)
    return informed(replace(model, user_known=Known(age, AGE)), pairs)


def test_a_refit_with_features_and_the_items_fixed_draws_the_same():
    """New users among 20,000 copies of themselves, drawn by the Gibbs sampler given V, B and the rest: means within
    five standard errors (1 in 600,000 each, six), and the covariance; and the mean written out."""
    old = featured(6, (torch.tensor([0, 1, 1, 5]), torch.tensor([0, 0, 4, 2])), torch.randn(6, 1).double())
    latents, ages, count = draws(old, 1)[0], torch.tensor([[0.5], [-2.0], [0.0]]).double(), 20_000
    one = NEW.take(NEW.user == 0)
    rows = fold_in(old, [latents], NEW, features_of(old, NEW, ages))
    many = Ratings(torch.arange(count).repeat_interleave(3), one.item.repeat(count), one.rating.repeat(count), count, 5)
    refit = featured(count, many.pairs, ages[:1].expand(count, 1))
    rng = generator(0, "refit")
    start = latents | {"U": torch.zeros(count, 2).double(), "user_bias": torch.zeros(count).double(),
                       "weights_V": torch.zeros(count, 3).double()}  # of the items, which are drawn last
    z_U, z_V = (torch.randn(n, 3, dtype=torch.float64, generator=rng) for n in (count, 5))
    drawn = refit.rows(ladder_gibbs.rows(refit, start, many, z_U, z_V, "auto"), "U")
    sd = rows.covariance[0, 0].diagonal().sqrt()
    assert bool((((drawn.mean(0) - rows.mean[0, 0]) / sd).abs() < 5 / count**0.5).all())
    assert torch.allclose(drawn.T.cov(), rows.covariance[0, 0], rtol=5 * (2 / count) ** 0.5,
                          atol=5 * float(sd.max()) ** 2 / count**0.5)
    F = torch.cat([torch.tensor([1, 0, 1, 1, 0]).double() / 3**0.5, ages[0]])  # users 0 and 1 of NEW, by hand
    for k, (f, items, r) in enumerate(((F, [0, 2, 3], [4, 2.5, 1]), (torch.tensor([0.0] * 5 + [-2]).double(), [], []))):
        A = torch.cat([latents["V"], torch.ones(5, 1).double()], 1)[items]
        S = torch.linalg.inv(latents["precision_U"] + A.T @ A / latents["sigma2"])
        prior = latents["precision_U"] @ (latents["mean_U"] + f @ latents["weights_U"])
        left = torch.tensor(r).double() - latents["item_bias"][items]
        assert torch.allclose(rows.mean[0, k], S @ (prior + A.T @ left / latents["sigma2"]))


@pytest.mark.parametrize("timed", [False, True])
def test_levels_against_quadrature_over_the_factor(timed):
    """K = 1 and biases, 5,000 copies of a new user, each with numbers of its own between the thresholds:
    probabilities of every level and the mean within six standard errors, 1 in 500 million each, four. With time no day
    is known, and of items' periods the usual: item 0 has 2 ratings in a period of effect 0.6, 1 in one of -0.9."""
    count, items, levels = 5_000, [0, 2, 3], np.arange(1, 4)
    model: Ladder = Ordinal(6, 5, 1, prior_variance=1.5, noise_variance=1.0, levels=(1.0, 2.0, 3.0), biases=True)
    effect, variance = np.zeros(5), np.ones(5)
    if timed:
        seen = Ratings(torch.tensor([0, 1, 2]), torch.tensor([0, 0, 0]), torch.zeros(3).double(), 6, 5,
                       time=DAY * torch.tensor([0, 1, 30]))
        model = dated(OrdinalTimed(**{f.name: getattr(model, f.name) for f in fields(model)}), seen)
        effect[0], variance = 0.1, 1 + 1 / 2 + np.array([(2 * 0.36 + 0.81) / 3 - 0.01, *[1 / 5] * 4])
    latents = {"U": torch.zeros(6, 1).double(), "V": torch.tensor([[1.5], [0], [-1], [0.8], [2]]).double(),
               "user_bias": torch.zeros(6).double(), "item_bias": torch.tensor([0.8, 0, -0.6, 0.3, -0.5]).double(),
               "cutpoints": torch.tensor([-0.5, 0.7]).double(),
               "user_day": torch.tensor([0.3, -0.2, 0.1]).double(), "item_period": torch.tensor([0.6, -0.9]).double(),
               "precision_day": torch.tensor(2.0).double(), "precision_period": torch.tensor(5.0).double()}
    new = Ratings(torch.arange(count).repeat_interleave(3), torch.tensor(items).repeat(count),
                  torch.tensor([3.0, 1.0, 2.0]).double().repeat(count), count, 5)
    rows = fold_in(model, [latents], new)
    m, s = components(model, [latents], rows, np.arange(count), np.full(count, 4))
    found = stats.norm.cdf((latents["cutpoints"].numpy()[:, None] - m) / np.sqrt(s))
    u, b = (x.ravel() for x in np.meshgrid(np.linspace(-8, 8, 321), np.linspace(-8, 8, 321)))

    def below(item):
        eta = u * float(latents["V"][item]) + b + float(latents["item_bias"][item]) + effect[item]
        return np.array([0 * u, *(stats.norm.cdf((t - eta) / variance[item] ** 0.5) for t in (-0.5, 0.7)), 0 * u + 1])

    weight = stats.norm(0, 1.5**0.5).pdf(u) * stats.norm(0, 1.5**0.5).pdf(b)
    for item, rating in zip(items, (3, 1, 2), strict=True):
        weight = weight * np.diff(below(item), axis=0)[rating - 1]
    right = np.diff(below(4), axis=0) @ weight / weight.sum()
    each = np.diff(np.vstack([0 * found[:1], found, 0 * found[:1] + 1]), axis=0)
    assert (np.abs(each.mean(1) - right) < 6 * each.std(1) / count**0.5).all()
    expected = means(model, [latents], rows, np.arange(count))[:, 4]
    assert abs(expected.mean() - levels @ right) < 6 * expected.std() / count**0.5


def test_new_users_of_a_fit_with_time_written_out():
    """Each rating has an unknown effect of a day, and that of its item's period: as it usually is, or of that one."""
    seen = Ratings(torch.tensor([0, 1, 2]), torch.tensor([0, 0, 0]), torch.zeros(3).double(), 6, 5,
                   time=DAY * torch.tensor([0, 1, 30]))
    model = dated(Timed(6, 5, 2, prior_variance=1.3, noise=True, centre=1.0, unit=2.0), seen)
    latents = draws(model, 1)[0] | {"item_period": torch.tensor([0.6, -0.9]).double()}
    day, period, sigma2 = (1 / float(latents["precision_day"]), 1 / float(latents["precision_period"]),
                           float(latents["sigma2"]))
    usual = np.array([(2 * 0.6 - 0.9) / 3, 0, 0, 0, 0])  # of item 0 two of three ratings are in its first period
    spread = np.array([(2 * 0.36 + 0.81) / 3 - usual[0] ** 2, *[period] * 4])
    noise, c = 4 * (sigma2 + day + spread), 1 + 2 * usual
    V = 2 * latents["V"].numpy()
    A, items = V[[0, 2, 3]], [0, 2, 3]
    S = np.linalg.inv(np.eye(2) / 1.3 + (A.T / noise[items]) @ A)
    mu = S @ (A.T / noise[items]) @ (np.array([4, 2.5, 1]) - c[items])
    rows = fold_in(model, [latents], NEW)
    m, s = components(model, [latents], rows, np.zeros(5, int), np.arange(5))
    assert np.allclose(m[0], V @ mu + c) and np.allclose(s[0], np.einsum("jk,kl,jl->j", V, S, V) + noise)
    assert np.allclose(means(model, [latents], rows, np.array([0])), m)
    m, s = components(model, [latents], rows, np.zeros(2, int), np.zeros(2, int), DAY * np.array([31, 400]))
    assert np.allclose(m[0], V[0] @ mu + 1 + 2 * np.array([-0.9, 0]))
    assert np.allclose(s[0], V[0] @ S @ V[0] + 4 * (sigma2 + day + np.array([0, period])))
