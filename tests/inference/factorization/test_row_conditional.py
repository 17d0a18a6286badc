"""The row conditional against linear algebra written out, against the curvature of log_joint, and its twin."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch

from errors import InputError
from inference.factorization.compiled.normals import normals
from inference.factorization.coordinate_ascent import bound
from inference.factorization.parts import by_row, row_conditional
from inference.factorization.parts.by_row import Rows, by_user_and_item, sides
from inference.factorization.parts.predict import predict
from inference.factorization.parts.row_conditional import Prior, draw, posterior
from inference.threads import SMALL, over_rows
from models.factorization import Factorization
from models.ratings import Ratings

ENGINES = ["compiled", "torch"]


def problem(K=3, users=21, items=13, share=0.5, seed=0):
    """A model with its prior draw and ratings; user 4 and item 2 have none."""
    rng = torch.Generator().manual_seed(seed)
    seen = torch.rand(users, items, generator=rng) < share
    seen[4], seen[:, 2] = False, False
    user, item = seen.nonzero(as_tuple=True)
    mixed = torch.randperm(len(user), generator=rng)
    model = Factorization(users, items, K, prior_variance=2.0, noise_variance=0.7, pairs=(user[mixed], item[mixed]))
    latents = model.prior(rng)
    return model, model.simulate(rng, latents), latents, rng


def by_hand(model, data, V, i):
    """Mean and covariance of u_i from the stacked regression, as in the reference (3.1, 3.2)."""
    mine = data.user == i
    A, r = V[data.item[mine]], data.rating[mine]
    precision = torch.eye(model.rank, dtype=torch.float64) / model.prior_variance + A.T @ A / model.noise_variance
    covariance = torch.linalg.inv(precision)
    return covariance @ A.T @ r / model.noise_variance, covariance


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("K", [1, 2, 3, 4, 5, 8, 11])
def test_mean_and_covariance_against_brute_linear_algebra(K, engine):
    model, data, latents, rng = problem(K)
    users, items = by_user_and_item(data)
    flipped = Ratings(data.item, data.user, data.rating, model.num_items, model.num_users)
    for rows, given, source in ((users, latents["V"], data), (items, latents["U"], flipped)):
        found = posterior(rows, given, Prior.of(model), model.noise_variance, engine=engine)
        mean = draw(rows, given, Prior.of(model), model.noise_variance, engine=engine)
        for i in range(len(rows)):
            expected_mean, expected_covariance = by_hand(model, source, given, i)
            torch.testing.assert_close(found.mean[i], expected_mean, rtol=1e-9, atol=1e-11)
            torch.testing.assert_close(mean[i], expected_mean, rtol=1e-9, atol=1e-11)
            torch.testing.assert_close(found.spread[i], expected_covariance, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("engine", ENGINES)
def test_against_gradient_and_curvature_of_log_joint(engine):
    """At the mean the gradient in u_i vanishes; the Hessian there is minus the precision."""
    model, data, latents, _ = problem(K=3)
    found = posterior(by_user_and_item(data)[0], latents["V"], Prior.of(model), model.noise_variance, engine=engine)

    def log_joint(U):
        return model.log_joint({"U": U, "V": latents["V"]}, data)

    gradient = torch.autograd.functional.jacobian(log_joint, found.mean)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-9)
    hessian = torch.autograd.functional.hessian(log_joint, found.mean)
    for i in range(model.num_users):
        torch.testing.assert_close(torch.linalg.inv(-hessian[i, :, i]), found.spread[i], rtol=1e-9, atol=1e-11)
        others = torch.arange(model.num_users) != i
        assert hessian[i][:, others].abs().max() == 0, "rows of U meet only through V"


@pytest.mark.parametrize("engine", ENGINES)
def test_bound_is_the_evidence_of_the_regression(engine):
    """log p(r | V) = log N(r | 0, sigma^2 I + s V V') for each user, by the n x n covariance."""
    model, data, latents, _ = problem(K=3)
    found = posterior(by_user_and_item(data)[0], latents["V"], Prior.of(model), model.noise_variance, engine=engine)
    total = 0.0
    for i in range(model.num_users):
        mine = data.user == i
        A, r = latents["V"][data.item[mine]], data.rating[mine]
        if len(r):
            covariance = model.noise_variance * torch.eye(len(r), dtype=torch.float64) + model.prior_variance * A @ A.T
            normal = torch.distributions.MultivariateNormal(torch.zeros_like(r), covariance)
            total += float(normal.log_prob(r))
    constant = -0.5 * len(data) * np.log(2 * np.pi * model.noise_variance)
    constant -= 0.5 * float((data.rating**2).sum()) / model.noise_variance
    assert float(bound(found, Prior.of(model)).sum()) + constant == pytest.approx(total, rel=1e-11)


@pytest.mark.parametrize("K", [1, 2, 4, 5, 9])
def test_engines_agree_with_every_option(K):
    model, data, latents, rng = problem(K, users=37, items=19)
    rows = by_user_and_item(data)[0]
    root = torch.randn(K, K, generator=rng, dtype=torch.float64)
    prior = Prior(torch.randn(K, generator=rng, dtype=torch.float64), root @ root.T + torch.eye(K))
    z = normals(rng, len(rows), K)
    bias, item_bias = normals(rng, len(rows)), normals(rng, 19)
    a, b = (draw(rows, latents["V"], prior, 0.7, z, row_offset=bias, column_offset=item_bias, engine=e)
            for e in ENGINES)
    torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)
    residual = replace(data, rating=data.rating - bias[data.user] - item_bias[data.item])
    c = draw(by_user_and_item(residual)[0], latents["V"], prior, 0.7, z)
    torch.testing.assert_close(a, c, rtol=1e-10, atol=1e-10)
    wide = torch.randn(19, K, K, generator=rng, dtype=torch.float64)
    for spread in (None, wide[:, 0] ** 2, wide @ wide.mT):
        for shape in ("entry", "row"):
            p, q = (posterior(rows, latents["V"], prior, 0.7, spread, shape, engine=e) for e in ENGINES)
            for name in ("mean", "spread", "fit", "log_det"):
                torch.testing.assert_close(getattr(p, name), getattr(q, name), rtol=1e-10, atol=1e-10)


def test_rows_longer_than_a_block_and_blocks_of_the_torch_version(monkeypatch):
    model, data, latents, rng = problem(K=5, users=300, items=40, share=0.9)
    items, z = by_user_and_item(data)[1], normals(rng, 40, 5)
    a = draw(items, latents["U"], Prior.of(model), 0.7, z, engine="compiled")
    monkeypatch.setattr("inference.factorization.parts.row_conditional.CHUNK", 600)
    b = draw(items, latents["U"], Prior.of(model), 0.7, z, engine="torch")
    torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("K", [4, 5, 8])
def test_a_part_of_the_columns_after_the_other_gives_the_same_bytes(K, monkeypatch):
    model, data, latents, rng = problem(K, users=700, share=0.4)
    items, z, offset = by_user_and_item(data)[1], normals(rng, 13, K), normals(rng, 700)
    every = [items, items.working(weight=torch.rand(len(data), generator=rng, dtype=torch.float64))]
    whole = [draw(rows, latents["U"], Prior.of(model), 0.7, z, column_offset=offset) for rows in every]
    monkeypatch.setattr(row_conditional, "NEAR", 1000)  # 700 rows of 8 or 12 numbers: six or nine parts
    monkeypatch.setattr(row_conditional, "worth_columns", lambda *given: True)
    for rows, judge in zip(every, whole, strict=True):
        assert torch.equal(draw(rows, latents["U"], Prior.of(model), 0.7, z, column_offset=offset), judge)


def test_parts_of_columns_are_for_tables_beyond_the_caches_and_long_rows():
    def worth(rows, columns, ratings, W=12):
        both = Rows(torch.zeros(rows + 1), torch.zeros(ratings), torch.zeros(ratings), torch.zeros(ratings))
        return row_conditional.worth_columns(both, np.broadcast_to(0.0, columns * W), W)

    assert worth(900, 200_000, 2_000_000)
    assert not worth(900, 20_000, 2_000_000) and not worth(9_000, 200_000, 2_000_000)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_row_without_ratings_draws_from_its_prior(engine):
    """mu + L'^-1 z with L L' the prior's precision, to rounding."""
    model, data, latents, rng = problem(K=3)
    root = torch.randn(3, 3, generator=rng, dtype=torch.float64)
    prior, z = Prior(torch.arange(3.0, dtype=torch.float64), root @ root.T + torch.eye(3)), normals(rng, 21, 3)
    expected = prior.mean + torch.linalg.inv(torch.linalg.cholesky(prior.precision)).T @ z[4]
    torch.testing.assert_close(draw(by_user_and_item(data)[0], latents["V"], prior, 0.7, z, engine=engine)[4], expected)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("K", [1, 3, 4, 7])
def test_working_ratings_with_weights_and_a_prior_mean_a_row_against_brute_linear_algebra(K, engine):
    """Other ratings in the place of the observed ones, each with a precision of its own, in the order given."""
    model, data, latents, rng = problem(K)
    working, weight = torch.randn(len(data), generator=rng).double(), 3 * torch.rand(len(data), generator=rng).double()
    root = torch.randn(K, K, generator=rng).double()
    precision = root @ root.mT + torch.eye(K)
    flipped = Ratings(data.item, data.user, data.rating, model.num_items, model.num_users)
    for rows, given, source in zip(by_user_and_item(data), (latents["V"], latents["U"]), (data, flipped), strict=True):
        prior = Prior(torch.randn(len(rows), K, generator=rng).double(), precision)
        z = torch.randn(len(rows), K, generator=rng).double()
        found = posterior(rows.working(working, weight), given, prior, 0.7, engine=engine)
        drawn = draw(rows.working(working, weight), given, prior, 0.7, z, engine=engine)
        for i in range(len(rows)):
            mine = source.user == i
            A, r, w = given[source.item[mine]], working[mine], weight[mine] / 0.7
            P = precision + A.T @ (w[:, None] * A)
            mean = torch.linalg.solve(P, precision @ prior.mean[i] + A.T @ (w * r))
            torch.testing.assert_close(found.mean[i], mean, rtol=1e-9, atol=1e-11)
            torch.testing.assert_close(found.spread[i], torch.linalg.inv(P), rtol=1e-9, atol=1e-11)
            step = torch.linalg.solve(torch.linalg.cholesky(P).mT, z[i])
            torch.testing.assert_close(drawn[i], mean + step, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("shape", ["entry", "row"])
def test_a_rating_of_weight_three_is_the_same_rating_three_times(shape):
    """With spreads of the other side too, which every rating counts as often."""
    model, data, latents, _ = problem(K=3)
    times = 1 + data.item % 3
    thrice = replace(data, user=data.user.repeat_interleave(times), item=data.item.repeat_interleave(times),
                     rating=data.rating.repeat_interleave(times))
    spread = torch.full_like(latents["V"], 0.3) if shape == "entry" else 0.3 * torch.eye(3).double().expand(13, 3, 3)
    for engine in ENGINES:
        one = posterior(by_user_and_item(data)[0].working(weight=times.double()), latents["V"], Prior.of(model), 0.7,
                        spread, shape, engine=engine)
        other = posterior(by_user_and_item(thrice)[0], latents["V"], Prior.of(model), 0.7, spread, shape, engine=engine)
        for name in ("mean", "spread", "fit", "log_det"):
            torch.testing.assert_close(getattr(one, name), getattr(other, name), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("engine", ENGINES)
def test_draws_have_the_conditional_mean_and_covariance(engine):
    """20,000 draws of one user: every z score of a mean or second moment is below 6 (false alarm 9 x 2e-9)."""
    model, data, latents, rng = problem(K=3)
    rows, n = by_user_and_item(data)[0], 20_000
    one = by_row.Rows(torch.arange(n + 1, dtype=torch.int32) * int(rows.counts[0]),
                      rows.index[: rows.indptr[1]].repeat(n), rows.rating[: rows.indptr[1]].repeat(n),
                      torch.empty(0).long())
    draws = draw(one, latents["V"], Prior.of(model), model.noise_variance, normals(rng, n, 3), engine=engine)
    mean, covariance = by_hand(model, data, latents["V"], 0)
    white = (draws - mean) @ torch.linalg.cholesky(torch.linalg.inv(covariance))
    assert float((white.mean(0) * n**0.5).abs().max()) < 6
    second = white.T @ white / n - torch.eye(3)
    assert float((second * (n / (1 + torch.eye(3))) ** 0.5).abs().max()) < 6


def test_flat_prior_and_jitter_give_least_squares_of_least_norm():
    model, data, latents, _ = problem(K=4, share=0.3)
    rows, nothing = by_user_and_item(data)[0], Prior(torch.zeros(4).double(), torch.zeros(4, 4).double())
    assert int(rows.counts.min()) == 0 and 0 < int(rows.counts[rows.counts > 0].min()) < 4
    for engine in ENGINES:
        found = draw(rows, latents["V"], nothing, 1.0, jitter=1e-10, engine=engine)
        for i in range(model.num_users):
            mine = data.user == i
            expected = torch.linalg.pinv(latents["V"][data.item[mine]]) @ data.rating[mine]
            torch.testing.assert_close(found[i], expected, rtol=1e-5, atol=1e-5)


def test_sorted_once_and_again_when_the_data_change():
    _, data, _, _ = problem()
    first = by_user_and_item(data)
    assert by_user_and_item(data) is not None and by_user_and_item(data)[0] is first[0]
    for rows, key, other in ((first[0], data.user, data.item), (first[1], data.item, data.user)):
        for i in range(len(rows)):
            mine, here = key == i, slice(rows.indptr[i], rows.indptr[i + 1])
            assert sorted(zip(rows.index[here].tolist(), rows.rating[here].tolist(), strict=True)) == sorted(
                zip(other[mine].tolist(), data.rating[mine].tolist(), strict=True))
    data.rating.mul_(2)
    assert float(by_user_and_item(data)[1].rating.sum()) == pytest.approx(float(data.rating.sum()))
    alone = weakref.ref(data)
    del data
    gc.collect()
    assert alone() is None, "the cache keeps data alive"


def test_same_bytes_with_one_thread_and_two(monkeypatch):
    threads = torch.get_num_threads()
    model, data, latents, _ = problem(K=5, users=3000, items=30)
    rows, found = by_user_and_item(data)[0], []
    assert rows.work[-1] > SMALL
    try:
        for n in (1, 2):
            torch.set_num_threads(n)
            z = normals(torch.Generator().manual_seed(3), 3000, 10)
            found.append((z, draw(rows, latents["V"], Prior.of(model), 0.7, z[:, :5].contiguous()),
                          predict(latents["U"], latents["V"], data.user, data.item)))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_an_error_in_a_thread_is_not_lost():
    def kernel(first, last):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        over_rows(kernel, 10 * SMALL)


@pytest.mark.parametrize("rows, pieces", [(1, 1), (1, 4), (3, 4), (10, 1)])
def test_every_row_is_in_one_piece_and_no_piece_is_empty(rows, pieces):
    threads, seen = torch.get_num_threads(), []
    try:
        torch.set_num_threads(2)
        over_rows(lambda first, last: seen.append((first, last)), SMALL * np.arange(rows + 1), pieces=pieces)
    finally:
        torch.set_num_threads(threads)
    assert sorted(i for first, last in seen for i in range(first, last)) == list(range(rows))
    assert all(first < last for first, last in seen)


@pytest.mark.parametrize("K", [1, 2, 4, 7])
def test_predictions_are_dot_products(K):
    model, data, latents, _ = problem(K)
    expected = model.quantities(latents)["prediction"]
    for engine in ENGINES:
        torch.testing.assert_close(predict(latents["U"], latents["V"], data.user, data.item, engine), expected)


def test_wrong_input_is_one_sentence():
    model, data, latents, _ = problem()
    with pytest.raises(InputError, match="did you mean 'compiled'"):
        draw(by_user_and_item(data)[0], latents["V"], Prior.of(model), 1.0, engine="compild")
    with pytest.raises(InputError, match="21 users and 13 items"):
        sides(replace(model, num_users=20, pairs=None), data)
