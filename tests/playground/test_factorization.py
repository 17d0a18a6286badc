"""What the page on factorization shows."""

import numpy as np
import pytest

from playground import factorization, svg
from playground.factorization import Belief, World
from views.style import OWN

WORLD = World(3, 2, 2, 1.0, 4, 0)


def test_the_world_has_the_ratings_that_are_asked_for():
    model, latents, data = WORLD.drawn()
    assert len(data) == 4 and model.prior_variance == 1.0 and latents["U"].shape == (3, 2)
    assert len(set(zip(data.user.tolist(), data.item.tolist(), strict=True))) == 4


def test_cells_are_means_and_sds_of_products():
    users = np.array([[[1.0, 0.0]] * 3, [[3.0, 0.0]] * 3])
    items = np.array([[[1.0, 5.0], [2.0, 5.0]], [[1.0, 5.0], [2.0, 5.0]]])
    rows = factorization.predictions(WORLD, {"q": Belief(users, items, users)}, 1)
    assert [row["q"] for row in rows] == ["2.0 ± 1.0", "4.0 ± 2.0"]
    _, latents, data = WORLD.drawn()
    assert rows[0]["true u.v"] == f"{float(latents['U'][1] @ latents['V'][0]):.1f}"
    seen = {(int(i), int(j)) for i, j in zip(data.user, data.item, strict=True)}
    assert [row["rating"] != "-" for row in rows] == [(1, j) in seen for j in range(2)]


def test_the_ellipse_is_of_the_points():
    users = np.random.default_rng(0).normal(size=(50, 3, 3))
    mean, covariance = factorization.ellipse(users, 2)
    assert mean == pytest.approx(users[:, 2, :2].mean(0))
    assert covariance == pytest.approx(np.cov(users[:, 2, :2].T), abs=1e-8)
    assert factorization.plane(users[..., :1], 0)[:, 1].tolist() == [0.0] * 50  # of rank 1


def test_a_guide_without_ratings_is_the_prior():
    """Mean field with one rating: the rows of the other users are N(0, prior)."""
    found = factorization.belief("coordinate_ascent", World(3, 2, 1, 2.0, 1, 0))
    _, _, data = World(3, 2, 1, 2.0, 1, 0).drawn()
    others = [user for user in range(3) if user != int(data.user[0])]
    draws = found.users[:, others]
    assert abs(draws.mean()) < 6 * np.sqrt(2.0 / draws.size)  # six standard errors: 2e-9
    assert draws.var() == pytest.approx(2.0, rel=6 * np.sqrt(2 / draws.size))


def test_a_cloud_has_the_name_and_the_colour_of_its_kernel():
    shown = svg.cloud("random walk", np.ones((2, 2)), np.ones((2, 2)), {"mean field by gradient steps": (
        np.zeros(2), np.eye(2))}, factorization.METHODS, "w")
    assert f"stroke='{OWN['random_walk']}'" in shown.replace('"', "'") and ">random walk<" in shown
    assert f"stroke='{OWN['elbo_by_hand']}'" in shown.replace('"', "'") and OWN["row_gibbs"] not in shown
    lines = svg.lines({"loopy_bp": [0.0, 1.0]}, "w", "sweep")
    assert OWN["loopy_bp"] in lines and OWN["mean_field"] not in lines


def test_what_is_refused_is_said():
    found = factorization.belief("coordinate_ascent:covariance=none", WORLD)
    assert "covariance" in found.refused and not len(found.users)
    assert factorization.said({"a": found, "b": found}, 0) == found.refused
