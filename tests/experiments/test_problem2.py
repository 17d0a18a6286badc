"""Problem 2 at the door: what a run leaves behind, what it says, and what it refuses."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch

import run
from data.ratings import load_ratings
from errors import InputError
from experiments.problem2 import checkpoints as checkpoints2
from experiments.problem2 import gradients
from experiments.problem2 import main as problem2
from experiments.problem2 import words as words2
from experiments.problem2.request import Request
from experiments.ratings import recommend, sets
from experiments.ratings.entries import seconds_to
from experiments.ratings.request import JESTER
from inference.job import generator
from inference.result import Result
from models.ratings import Ratings
from runs.options import parse
from runs.request import parse_ranks
from runs.run import Run
from runs.story import Story
from tests.support import OUTSIDE
from views import tables

REAL = OUTSIDE / JESTER


def door(*argv: object) -> int:
    return run.guarded([str(a) for a in argv])


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Without the checkpoints on real ratings, and with fewer samples of the estimators."""
    monkeypatch.setattr(checkpoints2, "SAMPLES", 300)


@pytest.fixture(scope="session")
def stars(tmp_path_factory) -> Path:
    """A CSV with 1 to 5 stars of users 100.. and items 7.., simulated from two factors."""
    rng = np.random.default_rng(0)
    U, V = rng.normal(size=(200, 2)), rng.normal(size=(15, 2))
    lines = ["user,item,rating"]
    for i in range(200):
        for j in sorted(rng.permutation(15)[: rng.integers(2, 15)]):
            lines.append(f"{i + 100},{j + 7},{np.clip(round(3 + 0.7 * U[i] @ V[j] + 0.7 * rng.normal()), 1, 5):.0f}")
    path = tmp_path_factory.mktemp("data") / "stars.csv"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="session")
def quick(stars) -> list:
    return ["--problem", 2, "--ratings", stars, "--scale", "1,5", "--split", "0.8,0.1,0.1", "--samples", 10]


def test_a_run_leaves_what_the_readme_says(quick, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Request, "reference", True)  # as if these were the reference's ratings
    out = tmp_path / "out"
    assert door(*quick, "--method", "coordinate_ascent", "--method", "elbo_by_hand", "--ranks", "1,3,4", "--epochs", 10,
                "--seed", 3, "--recommend", 105, "--top", 4, "--out", out) == 0
    said = capsys.readouterr().out
    assert "checkpoints passed" in said and "For user 105" in said and "From K = 1 to 4" in said
    summary = json.loads((out / "summary.json").read_text())
    assert summary["problem"] == 2 and summary["seed"] == 3
    assert shlex.split(summary["command"])[:4] == ["python", "run.py", "--problem", "2"]
    assert summary["checkpoints"] and all(c["passed"] for c in summary["checkpoints"])
    assert {"2.1", "2.2", "2.3", "2.4", "2.5", "2.6"} == {c["id"] for c in summary["checkpoints"]}
    lines = {(m["name"], m["rank"]): m for m in summary["methods"]}
    assert set(lines) == {("coordinate_ascent", 2), ("elbo_by_hand", 2), ("coordinate_ascent", 1),
                          ("coordinate_ascent", 3), ("coordinate_ascent", 4)}
    for line in lines.values():
        assert {"by", "family", "seconds", "seconds_to_1_percent", "elbo_per_rating", "train_nll", "validation_nll",
                "test_nll", "test_rmse", "converged", "steps"} <= line.keys()
        assert -4 < line["elbo_per_rating"] < -1 and 1 < line["train_nll"] < line["test_nll"] < 3
    assert {"learning.png", "ranks.png", "predictions.png", "uncertainty.png", "gradients.png", "run.json", "data.png",
            "items.png", "calibration.png"} <= {p.name for p in out.iterdir()}
    assert {"coordinate_ascent.nc", "elbo_by_hand.nc"} <= {p.name for p in out.iterdir()}
    assert (out / "rank4" / "coordinate_ascent.nc").is_file() and not list(out.rglob("*.npz"))
    result = Result.load(out / "elbo_by_hand.nc")
    assert float(result.expected["test_nll"]) == pytest.approx(lines["elbo_by_hand", 2]["test_nll"])
    assert result.trace["train_nll"].shape == (1, 10)


@pytest.mark.usefixtures("undrawn")
def test_bounds_of_the_reference_are_for_its_ratings(quick, tmp_path, capsys):
    out = tmp_path / "out"
    assert door(*quick, "--method", "coordinate_ascent", "--epochs", 3, "--out", out) == 0
    said = capsys.readouterr().out
    assert "Checkpoints" not in said and "passed" not in said and "figures and results are in" in said
    assert json.loads((out / "summary.json").read_text())["checkpoints"] == []


def test_points_and_samplers_stand_in_the_same_table(quick, tmp_path):
    out = tmp_path / "out"
    assert door(*quick, "--method", "maximum_likelihood:algorithm=als,map=yes", "--method", "row_gibbs", "--epochs", 20,
                "--bare", "--out", out) == 0
    lines = {m["name"]: m for m in json.loads((out / "summary.json").read_text())["methods"]}
    assert lines["maximum_likelihood_als_map"]["elbo_per_rating"] is None
    assert lines["row_gibbs"]["test_nll"] < lines["maximum_likelihood_als_map"]["test_nll"]


def test_the_same_seed_the_same_answer(quick, tmp_path):
    ends = []
    for k in range(2):
        assert door(*quick, "--method", "elbo_by_hand", "--epochs", 2, "--seed", 5, "--bare", "--out",
                    tmp_path / str(k)) == 0
        ends.append(Result.load(tmp_path / str(k) / "elbo_by_hand.nc").expected)
    assert ends[0].keys() == ends[1].keys() and all(np.array_equal(ends[0][k], ends[1][k]) for k in ends[0])


@pytest.mark.usefixtures("undrawn")
def test_a_wrong_formula_fails_a_checkpoint(quick, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Request, "reference", True)
    right = checkpoints2.kl_normal
    monkeypatch.setattr(checkpoints2, "kl_normal", lambda *given: 1.001 * right(*given))
    assert door(*quick, "--method", "coordinate_ascent", "--epochs", 3, "--out", tmp_path / "out") == 1
    assert "FAIL" in capsys.readouterr().out


def test_an_estimator_that_is_off_is_seen(monkeypatch):
    """A twentieth too much in one kind of parameter is far more than rounding, on the same noise."""
    right = checkpoints2.elbo_by_hand.gradient

    def wrong(*given):
        value, ascent = right(*given)
        return value, ascent | {"V_mean": 1.05 * ascent["V_mean"]}

    assert all(c.passed for c in checkpoints2.run([], True, None))
    monkeypatch.setattr(checkpoints2.elbo_by_hand, "gradient", wrong)
    failed = {c.what.split(":")[0] for c in checkpoints2.run([], True, None) if not c.passed}
    assert "gradient by hand against torch.autograd, same noise" in failed


def test_recommendations_are_unrated_items_by_their_own_ids(stars):
    train = load_ratings(stars, scale="1,5")
    assert train.item_ids is not None and train.user_ids is not None
    user, items = recommend.unrated(train, "105")
    given = {int(line.split(",")[1]) for line in stars.read_text().splitlines()[1:] if line.startswith("105,")}
    assert {train.item_ids[j] for j in items.tolist()} == set(range(7, 22)) - given
    assert {train.user_ids[i] for i in user.tolist()} == {105}


def test_names_of_fits():
    assert parse("factorization", "coordinate_ascent").method.name == "coordinate_ascent"
    fit = parse("factorization", "maximum_likelihood:algorithm=sgd,map=no,lr=0.1")
    assert fit.method.name == "maximum_likelihood_sgd_0.1"
    assert fit.options == {"algorithm": "sgd", "map": False, "lr": 0.1}


def test_seconds_to_a_share_of_the_best():
    def result(**trace):
        n = len(next(iter(trace.values())))
        return Result("x", "variational", "hand", {}, {}, {k: np.array([v]) for k, v in trace.items()},
                      np.full((1, n), 2.0), None, None, None, 0, {})

    assert seconds_to(result(elbo=[-300.0, -102.0, -100.9, -100.0]), 0.01) == 6
    assert seconds_to(result(objective=[-100.0, -100.5]), 0.01) == 2
    assert seconds_to(result(test_nll=[1.0, 2.0]), 0.01) is None


def test_the_noise_of_the_estimators(stars):
    train = load_ratings(stars, scale="1,5")
    found = gradients.spreads(train, 2, generator(0, "gradients"))
    noisy, quiet = found.values()
    assert set(noisy) == {"U_mean", "U_log_variance", "V_mean", "V_log_variance"}
    assert np.median(noisy["V_mean"]) > 2 * np.median(quiet["V_mean"])
    assert "times the variance" in gradients.in_words(found)


def test_a_user_without_training_ratings_is_said(stars, tmp_path, capsys):
    test = tmp_path / "test.csv"
    test.write_text("user,item,rating\n9000,7,4\n")
    assert door("--problem", 2, "--ratings", stars, "--test-ratings", test, "--method", "coordinate_ascent", "--epochs",
                3, "--samples", 10, "--bare", "--out", tmp_path / "out") == 0
    assert "1 user of test.csv never occurs in stars.csv: predicted from the prior" in capsys.readouterr().out


def test_ranks():
    assert parse_ranks("1-3,2,5") == (1, 2, 3, 5) and parse_ranks("none") == ()
    for wrong in ("", "3-1", "1-2-3", "x", "1,"):
        with pytest.raises(InputError, match="--ranks"):
            parse_ranks(wrong)


def test_words_need_something_to_say():
    assert words2.comparison([], 10) == [] and words2.ranks({}, 10) == []


GOOD = "user,item,rating\n1,1,3\n1,2,4\n2,1,5\n2,2,1\n3,1,2\n"


@pytest.mark.parametrize("text, words", [
    ("", "empty"),
    ("user,item\n1,2\n", "expected the columns"),
    (GOOD + "3,2,good\n", "line 7"),
    (GOOD + "2,1,4\n", "a second time"),
    (GOOD + "3,2,7\n", "off the scale"),
    (GOOD + "3,2,nan\n", "line 7"),
    (GOOD + "3,2,inf\n", "line 7"),
    (GOOD + ",2,4\n", "has no user id"),
    (GOOD + "3.5,2,4\n", "not an integer"),
])
def test_bad_files(text, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("bad.csv").write_text(text)
    assert door("--problem", 2, "--ratings", "bad.csv", "--scale", "1,5") == 2
    captured = capsys.readouterr()
    assert words in captured.err and "bad.csv" in captured.err and captured.err.count("\n") == 1
    assert [p.name for p in Path().iterdir()] == ["bad.csv"]


@pytest.mark.parametrize("argv, words", [
    (["--ratings", "absent.csv"], "no file"),
    (["--ratings", "jester-lik"], "did you mean 'jester-like'"),
    (["--rank", 0], "between 1 and the number of items, 15, not 0"),
    (["--rank", 16], "between 1 and the number of items, 15, not 16"),
    (["--ranks", "1-20"], "between 1 and the number of items, 15, not 20"),
    (["--batch-size", 10**6], "a batch must hold between 1 and"),
    (["--batch-size", 0], "a batch must hold between 1 and"),
    (["--lr", -1], "learning rate"),
    (["--lr", "nan"], "must be a number, not 'nan'"),
    (["--epochs", 0], "--epochs must be at least 1"),
    (["--samples", 0], "samples from q"),
    (["--recipe", "referense"], "did you mean 'reference'"),
    (["--guide", "AutoNormall"], "did you mean 'AutoNormal'"),
    (["--guide", "absent.py"], "no file"),
    (["--method", "elbo_by_hnd"], "did you mean 'elbo_by_hand'"),
    (["--method", "coordinate_ascent:covariance=rows"], "did you mean 'row'"),
    (["--method", "coordinate_ascent:lr=1"], "unknown option of coordinate_ascent"),
    (["--method", "coordinate_ascent:covariance=row,b"], "after the colon"),
    (["--method", "elbo_by_hand", "--method", "elbo_by_hand"], "asked for twice"),
    (["--method", "coordinate_ascent", "--lr", 0.1], "--lr is of no use"),
    (["--recommend", 99], "there is no user 99"),
    (["--split", "0.5,0.5"], "three numbers"),
    (["--split", "0.9,0,0.1", "--test-ratings", "x"], "give one of the two"),
    (["--subsample", 0], "fraction of ratings"),
    (["--device", "tpu"], "cpu or cuda"),
    (["--outside", "absent"], "holds no jester-5k"),
])
def test_bad_arguments(argv, words, quick, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    base = [] if "--ratings" in argv else quick[2:6] if "--split" in argv else quick[2:8]
    assert door("--problem", 2, *base, *argv) == 2
    captured = capsys.readouterr()
    assert words in captured.err and captured.err.startswith("error: ") and captured.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_fit_that_diverges_says_what_to_try(quick, tmp_path, capsys):
    assert door(*quick, "--method", "elbo_by_hand", "--lr", 1e6, "--out", tmp_path / "out") == 2
    assert "try a smaller one" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_file(), reason=f"{REAL.name} is not there")
def test_real_ratings():
    found = checkpoints2.run(["coordinate_ascent"], False, REAL.parent)
    assert sum(c.id == "outside" for c in found) == 10 and all(c.passed for c in found)


def test_a_given_test_set_of_jester_is_mapped_to_stars(tmp_path, capsys):
    lines = [f"{i},{j},{9.5 if (i + j) % 2 else -9.5}" for i in range(9) for j in range(9)]
    (tmp_path / "a.csv").write_text("\n".join(["user,item,rating", *lines]))
    (tmp_path / "b.csv").write_text("user,item,rating\n1,9,-9.5\n2,10,9.5\n")
    request = problem2.Request(ratings=str(tmp_path / "a.csv"), test_ratings=str(tmp_path / "b.csv"))
    parts = sets.load(request, tables.console())
    assert parts.train.rating.unique().tolist() == [1, 5] and parts.test.rating.tolist() == [1, 5]
    assert "mapped to 1 to 5 stars" in capsys.readouterr().out


def test_words_of_a_recommendation(capsys):
    """The interval holds 90% of N(mean, spread^2 + noise), clipped to the scale."""
    three = torch.arange(3)
    train = Ratings(three, three, torch.ones(3, dtype=torch.float64), 3, 3, (1.0, 5.0), ("a", "b", "c"), (7, 8, 9))
    expected = {"ask_mean": np.array([2.0, 4.5]), "ask_spread": np.array([0.6, 0.0]), "noise_variance": np.array(0.64)}
    result = Result("known", "variational", "hand", {}, expected, {}, np.ones((1, 1)), None, None, None, 0, {})
    this = Run("2", Path(), 0, (), console := tables.console(), Story(console, Path(), "factorization"))
    recommend.recommend(this, "a", 2, train, (torch.tensor([0, 0]), torch.tensor([1, 2])), result)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["9", "4.50", "3.18", "to", "5.00"] in lines and ["8", "2.00", "1.00", "to", "3.64"] in lines
