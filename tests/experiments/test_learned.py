"""Learned noise and priors: against draws of ratings of new users and items; and the door that prints them."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

import run
from experiments.ratings.learned import learned


def result(K: int, D: int):
    rng = np.random.default_rng(D)
    half = rng.normal(size=(2, D, D))
    precision = [np.linalg.inv(h @ h.T + 0.3 * np.eye(D)) for h in half]
    draws = {"mean_U": rng.normal(size=(1, 1, D)), "mean_V": rng.normal(size=(1, 1, D)),
             "precision_U": precision[0][None, None], "precision_V": precision[1][None, None],
             "sigma2": np.full((1, 1), 2.25)}
    return SimpleNamespace(draws=draws, facts={"model": {"rank": K}})


@pytest.mark.parametrize("K, D", [(2, 2), (2, 3)])
def test_against_ratings_of_new_users_and_items(K, D):
    """A table of 4,000 x 4,000 from one draw: means of its rows and columns, and what is left. Relative errors of the
    sds are near 1 / sqrt(8,000) = 0.011 each; 8% would be seven of them."""
    of = result(K, D)
    found = {name: float(x[0, 0]) for name, x in learned(of).items()}
    rng, d = np.random.default_rng(0), {name: x[0, 0] for name, x in of.draws.items()}
    x, y = (rng.multivariate_normal(d[f"mean_{s}"], np.linalg.inv(d[f"precision_{s}"]), 4000) for s in "UV")
    table = x[:, :K] @ y[:, :K].T + (x[:, K:].sum(1)[:, None] + y[:, K:].sum(1) if D > K else 0)
    rows, columns = table.mean(1), table.mean(0)
    left = table - rows[:, None] - columns + table.mean()
    assert found["sd between users"] == pytest.approx(rows.std(), rel=0.08)
    assert found["sd between items"] == pytest.approx(columns.std(), rel=0.08)
    assert found["sd of a pair"] == pytest.approx(left.std(), rel=0.08)
    spread = np.hypot(rows.std(), columns.std()) / 4000**0.5
    assert abs(found["mean of a rating"] - table.mean()) < 5 * spread
    assert found["sd of the noise"] == 1.5


def test_a_bare_run_holds_and_shows_the_scores(tmp_path, capsys):
    rng = np.random.default_rng(0)
    lines = [f"{i},{j},{rng.integers(1, 6)}" for i in range(30) for j in range(8) if rng.random() < 0.6]
    (tmp_path / "r.csv").write_text("\n".join(["user,item,rating", *lines]))
    words = ["--ratings", str(tmp_path / "r.csv"), "--split", "0.8,0.1,0.1", "--bare", "--out"]
    assert run.guarded(["--problem", "3", "--model", "noise+hierarchical", "--sweeps", "20", *words,
                        str(tmp_path / "three")]) == 0
    assert run.guarded(["--problem", "2", "--method", "coordinate_ascent", "--ranks", "1", *words,
                        str(tmp_path / "two")]) == 0
    said = capsys.readouterr().out
    assert "sd of the noise" in said and "test NLL" in said and "test RMSE" in said
    for place, count in (("three", 1), ("two", 2)):
        methods = json.loads((tmp_path / place / "summary.json").read_text())["methods"]
        assert len(methods) == count and all(m["test_nll"] > 0 and m["test_rmse"] > 0 for m in methods)
        assert not list((tmp_path / place).glob("*.png"))
