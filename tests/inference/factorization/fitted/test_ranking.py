"""Lists and their scores: against a plain sort, and scikit-learn's NDCG where it is installed."""

import numpy as np
import pytest
import torch

from inference.factorization.fitted.fit import Fit
from inference.factorization.fitted.groups import constants
from inference.factorization.fitted.ranking import best, graded, scores, top_n
from inference.job import generator
from models.factorization import Factorization
from models.ratings import Ratings


@pytest.fixture(scope="module")
def fit() -> Fit:
    """40 users, the last of them without a rating, and 30 items, the last of them without one."""
    rng = np.random.default_rng(0)
    pairs = rng.permutation(39 * 29)[:600]
    user, item = torch.from_numpy(pairs // 29), torch.from_numpy(pairs % 29)
    rating = torch.from_numpy(rng.integers(1, 6, 600).astype(float))
    train, test = (Ratings(user[p], item[p], rating[p], 40, 30) for p in (slice(0, 400), slice(400, 600)))
    model = Factorization(40, 30, 2)
    drawn = [model.prior(generator(s, "draw")) for s in range(5)]
    return Fit("row_gibbs", "mcmc", model, drawn, np.arange(40), np.arange(30), constants(train, test))


def test_the_best_are_those_of_a_plain_sort(fit):
    users = np.array([0, 7, 39])
    for top in (3, 25, 100):
        for user, found in zip(users, best(fit, users, top), strict=True):
            means = scores(fit, np.array([user]))[0]
            free = [j for j in range(30) if j not in set(fit.rated(user).tolist())]
            assert found.tolist() == sorted(free, key=lambda j: -means[j])[:top]
    product = sum(float(d["U"][7] @ d["V"][3]) for d in fit.draws) / 5
    assert scores(fit, users)[1, 3] == pytest.approx(product)
    assert np.allclose(scores(fit, users)[2], fit.by_item.mean)  # of a cold user, in the order of the items' means
    assert scores(fit, users)[0, 29] == pytest.approx(fit.by_user.mean[0])


def test_scores_against_counting(fit):
    found = top_n(fit, 5)
    assert found is not None
    user, item, rating = (fit.training[f"test_{n}"] for n in ("of_user", "of_item", "rating"))
    good = {(u, i) for u, i, r in zip(user, item, rating, strict=True) if r >= found.threshold}
    users = sorted({u for u, _ in good})
    hits = [[(u, j) in good for j in next(best(fit, np.array([u]), 5)).tolist()] for u in users]
    assert found.users == len(users)
    precision = [sum(h) / 5 for h in hits]
    recall = [sum(h) / sum(v == u for v, _ in good) for h, u in zip(hits, users, strict=True)]
    assert found.scores["precision"] == (pytest.approx(np.mean(precision)),
                                         pytest.approx(np.std(precision, ddof=1) / len(users) ** 0.5))
    assert found.scores["recall"][0] == pytest.approx(np.mean(recall))
    lists = [set(next(best(fit, np.array([u]), 5)).tolist()) for u in users]
    without = [len(set().union(*lists[:k], *lists[k + 1:])) / 30 for k in range(len(lists))]  # the jackknife, by hand
    error = ((len(lists) - 1) * np.var(without)) ** 0.5
    assert found.scores["coverage"] == (pytest.approx(len(set().union(*lists)) / 30), pytest.approx(error))


def test_ndcg_against_somebody_elses():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(2)
    for _ in range(20):
        hits = rng.random(10) < 0.4
        if hits.any():
            theirs = metrics.ndcg_score([hits.astype(float)], [-np.arange(10.0)], k=10)
            assert graded(hits.tolist(), int(hits.sum()), 10)[2] == pytest.approx(theirs)
