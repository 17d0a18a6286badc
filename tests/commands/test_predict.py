"""`predict` at the door: the run's own predictions again, ids as they were, and what it refuses."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest

import crosscheck as cc
import run
from data.rating_files import Reading, read_triples
from errors import InputError
from experiments.ratings.predictions import check_units
from inference.result import Result

USERS, ITEMS = 40, 9


def door(*argv: object) -> int:
    return run.guarded([str(a) for a in argv])


@pytest.fixture(scope="module")
def fits(tmp_path_factory) -> Path:
    """A chain, a q and a point of ratings whose ids are text: users u00 to u39, items 007 and so on."""
    folder = tmp_path_factory.mktemp("fits")
    rng = np.random.default_rng(0)
    U, V = rng.normal(size=(USERS, 2)), rng.normal(size=(ITEMS, 2))
    lines = ["user,item,rating"]
    for i in range(USERS):
        for j in sorted(rng.permutation(ITEMS)[: rng.integers(3, ITEMS - 1)]):
            lines.append(f"u{i:02d},00{j},{np.clip(round(3 + 0.8 * U[i] @ V[j] + 0.7 * rng.normal()), 1, 5):.0f}")
    (folder / "ratings.csv").write_text("\n".join(lines))
    words = ["--ratings", folder / "ratings.csv", "--scale", "1,5", "--split", "0.8,0.05,0.15", "--bare"]
    assert door("--problem", 3, *words, "--model", "noise+hierarchical+biases", "--sweeps", 40, "--chains", 1,
                "--out", folder / "chain") == 0
    assert door("--problem", 2, *words, "--clip", "--method", "coordinate_ascent", "--method", "maximum_likelihood",
                "--out", folder / "others") == 0
    return folder


def files(fits: Path) -> list[Path]:
    return [fits / "chain" / "ladder_gibbs.nc", *(fits / "others").glob("*.nc")]


def test_the_runs_own_predictions_again(fits, tmp_path):
    """Of the chain all draws are kept; of a q they are others, of which a hundred tell a mean to some posterior sds
    over ten."""
    for path in files(fits):
        result = Result.load(path)
        users, items = (result.coords[f"test_{side}"][1] for side in ("user", "item"))
        (tmp_path / "pairs.csv").write_text("\n".join(["item,user", *map(",".join, zip(items, users, strict=True))]))
        out = tmp_path / f"{path.stem}.parquet"
        assert door("predict", path, "--pairs", tmp_path / "pairs.csv", "--out", out) == 0
        found = pyarrow.parquet.read_table(out)
        assert found["user"].to_pylist() == users.tolist() and found["item"].to_pylist() == items.tolist()
        known = np.array(found["by"].to_pylist()) == "fit"
        mean, spread = (result.expected[f"test_{name}"] for name in ("mean", "spread"))
        off = np.abs(found["mean"].to_numpy() - mean)[known]
        assert result.name != "maximum_likelihood" or (mean == 5).any()  # it was asked to --clip
        assert (off <= (0.6 * spread[known] if result.family == "variational" else 1e-5)).all() and known.sum() > 10
        stars = np.array([found[f"p_{k}"].to_numpy() for k in range(1, 6)])
        assert np.allclose(stars.sum(0), 1) and (stars >= 0).all()
        assert (found["low"].to_numpy() >= 1).all() and (found["high"].to_numpy() <= 5).all()


def test_who_and_what_is_unknown_is_counted(fits, tmp_path, capsys):
    (tmp_path / "pairs.tsv").write_text("u00\t001\nnobody\t001\nu00\tnothing\nnobody\tnothing\nu00\t1\n")
    assert door("predict", fits / "chain", "--pairs", tmp_path / "pairs.tsv", "--out", tmp_path / "out.csv") == 0
    said = capsys.readouterr().out
    assert "1 of 5 predictions has no draws behind it, as its user is not in" in said and "2 of 5" in said
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0] == "user,item,mean,sd,low,high,p_1,p_2,p_3,p_4,p_5,by"
    by = [line.rpartition(",")[2] for line in lines[1:]]
    assert by == ["fit", "item mean", "user mean", "mean", "user mean"]  # 1 is not 001
    found = pyarrow.csv.read_csv(tmp_path / "out.csv")
    assert all((found["high"].to_numpy() - found["low"].to_numpy()) > 1)


def test_new_users_and_recommendations(fits, tmp_path, capsys):
    new = tmp_path / "new.csv"
    new.write_text("user,item,rating\nann,001,5\nann,002,1\nbob,003,4\nbob,unheard,2\n")
    assert door("predict", fits / "chain", "--recommend", "all", "--new-users", new, "--top", 3, "--out",
                tmp_path / "a.csv") == 0
    assert "1 of 4 ratings are of items without a training rating" in capsys.readouterr().out
    found = pyarrow.csv.read_csv(tmp_path / "a.csv").to_pylist()
    assert [row["user"] for row in found] == ["ann"] * 3 + ["bob"] * 3 and {row["by"] for row in found} == {"new user"}
    assert not {row["item"] for row in found if row["user"] == "ann"} & {"001", "002"}
    (tmp_path / "users.txt").write_text("u03\nu01\n")
    assert door("predict", fits / "chain", "--recommend", tmp_path / "users.txt", "--top", 2, "--out",
                tmp_path / "b.csv") == 0
    (tmp_path / "one.txt").write_text("u05\n")  # no header of nothing
    assert door("predict", fits / "chain", "--recommend", tmp_path / "one.txt", "--out", tmp_path / "one.csv") == 0
    assert set(pyarrow.csv.read_csv(tmp_path / "one.csv")["user"].to_pylist()) == {"u05"}
    rows = pyarrow.csv.read_csv(tmp_path / "b.csv").to_pylist()
    assert [(r["user"], r["rank"]) for r in rows] == [("u03", 1), ("u03", 2), ("u01", 1), ("u01", 2)]
    assert door("predict", fits / "chain", "--recommend", "all", "--out", tmp_path / "c.csv") == 0
    said = capsys.readouterr().out
    assert all(f"{name}@10" in said for name in ("precision", "recall", "NDCG", "coverage"))


def test_a_fit_with_time(tmp_path, capsys):
    """Judge: what the run said of its own test ratings, at any time and at their own; beyond all days the variances of
    the effects come on top."""
    rng = np.random.default_rng(1)
    pairs = [(i, j) for i in range(30) for j in rng.permutation(8)[:6]]
    rows = [(f"u{i}", f"00{j}", 3 + rng.normal(), 86_400 * int(rng.integers(2) + 40 * (j % 2))) for i, j in pairs]
    for name, some in (("train.csv", rows[::3] + rows[1::3]), ("test.csv", rows[2::3])):
        lines = "\n".join(",".join(map(str, row)) for row in some)
        (tmp_path / name).write_text(f"user,item,rating,timestamp\n{lines}")
    words = ["--problem", 3, "--ratings", tmp_path / "train.csv", "--test-ratings", tmp_path / "test.csv", "--bare",
             "--model", "noise+biases+time", "--sweeps", 10, "--chains", 1, "--rank", 1]
    found = {}
    for more in ([], ["--use-times"]):
        folder = tmp_path / f"fit{len(more)}"
        assert door(*words, *more, "--out", folder) == 0
        said = capsys.readouterr().out
        assert ("at their own times" in said) == bool(more) and ("without their times" in said) != bool(more)
        path, out = folder / "ladder_gibbs.nc", tmp_path / f"{len(more)}.parquet"
        assert door("predict", path, "--pairs", tmp_path / "test.csv", "--out", out, *more) == 0
        assert ("predictions are at the times of the file" in capsys.readouterr().out) == bool(more)
        result, found[len(more)] = Result.load(path), pyarrow.parquet.read_table(out)
        assert np.allclose(found[len(more)]["mean"].to_numpy(), result.expected["test_mean"], atol=1e-5)
        variance = result.expected["test_spread"] ** 2 + result.expected.get("test_noise",
                                                                             result.expected["noise_variance"])
        assert np.allclose(found[len(more)]["sd"].to_numpy() ** 2, variance, rtol=1e-4)
    assert not np.allclose(found[0]["mean"].to_numpy(), found[1]["mean"].to_numpy(), atol=1e-3)
    later = "\n".join(f"{u},{i},2030-01-01" for u, i, _, _ in rows[2::3])
    (tmp_path / "later.csv").write_text(f"user,item,timestamp\n{later}")
    assert door("predict", path, "--pairs", tmp_path / "later.csv", "--out", tmp_path / "l.parquet", "--use-times") == 0
    sd = pyarrow.parquet.read_table(tmp_path / "l.parquet")["sd"].to_numpy()
    assert (sd**2).mean() > (found[1]["sd"].to_numpy() ** 2).mean() + 0.01
    assert door("predict", path, "--recommend", "all", "--top", 2, "--out", tmp_path / "r.csv") == 0
    new = tmp_path / "new.csv"
    new.write_text("user,item,rating\nann,001,3\n")
    capsys.readouterr()
    assert door("predict", path, "--recommend", "all", "--new-users", new, "--out", tmp_path / "n.parquet") == 0
    assert "their days unknown" in capsys.readouterr().out
    lists = pyarrow.parquet.read_table(tmp_path / "n.parquet")
    assert set(lists["by"].to_pylist()) == {"new user"} and "001" not in lists["item"].to_pylist()
    users, items, _, times = zip(*rows[2::3], strict=True)
    told = cc.predict(path, users, items, times=times)
    assert np.allclose(told["mean"], found[1]["mean"].to_numpy()) and np.allclose(told["sd"], found[1]["sd"].to_numpy())
    with pytest.raises(InputError, match=r"times\[0\]: 'soon' in times is no time"):
        cc.predict(path, ["u0"], ["001"], times=["soon"])
    (tmp_path / "none.csv").write_text("user,item,rating\nu0,001,3\n")
    assert door(*words[:5], tmp_path / "none.csv", *words[6:], "--use-times", "--out", tmp_path / "no") == 2
    assert "have no times; name their column" in capsys.readouterr().err


def test_ratings_of_new_users_on_no_scale_may_lie_beyond_the_training_ratings(tmp_path):
    """Of thousands the next may be larger than any before; ten times as large is of other units."""
    fit: Any = SimpleNamespace(training={"range": np.array([5000.0, 12000.0])}, bounded=False, levels=np.empty(0))
    (tmp_path / "new.csv").write_text("user,item,rating\nann,a,13000\nann,b,4000\nann,c,120000\n")
    new = read_triples(tmp_path / "new.csv", Reading(say=print), single=True)
    check_units(fit, new.take(np.array([0, 1])))
    with pytest.raises(InputError, match="line 4: the rating 120000 lies far beyond those that the fit was trained on"):
        check_units(fit, new)


def test_a_saved_fit_is_small(fits):
    for path in files(fits):
        assert path.stat().st_size < 4 * 2**20
        assert Result.load(path).groups["latents"]["V"].shape[2:] == (ITEMS, 2)


def test_a_fit_with_features_and_what_is_known_of_new_users(fits, tmp_path, capsys):
    """The run's own predictions again; what a file says of a new user changes theirs, or is said to be missing."""
    rng = np.random.default_rng(1)
    (tmp_path / "users.csv").write_text("user,age\n" + "\n".join(f"u{i:02d},{rng.integers(20, 60)}" for i in range(40)
                                                                   ))
    assert door("--problem", 3, "--ratings", fits / "ratings.csv", "--scale", "1,5", "--split", "0.8,0.05,0.15",
                "--bare", "--model", "noise+hierarchical+biases+features", "--sweeps", 40, "--chains", 1,
                "--user-features", tmp_path / "users.csv", "--out", tmp_path / "fit") == 0
    result = Result.load(tmp_path / "fit" / "ladder_gibbs.nc")
    users, items = (result.coords[f"test_{side}"][1] for side in ("user", "item"))
    (tmp_path / "pairs.csv").write_text("\n".join(["item,user", *map(",".join, zip(items, users, strict=True))]))
    assert door("predict", tmp_path / "fit", "--pairs", tmp_path / "pairs.csv", "--out", tmp_path / "a.parquet") == 0
    found = pyarrow.parquet.read_table(tmp_path / "a.parquet")
    assert np.abs(found["mean"].to_numpy() - result.expected["test_mean"]).max() < 1e-5
    (tmp_path / "new.csv").write_text("user,item,rating\nann,001,5\nann,002,1\n")
    (tmp_path / "ann.csv").write_text("user,age\nann,80\n")
    (tmp_path / "p.csv").write_text("user,item\nann,003\n")
    means = []
    for k, more in enumerate(([], ["--user-features", tmp_path / "ann.csv"])):
        assert door("predict", tmp_path / "fit", "--new-users", tmp_path / "new.csv", *more, "--pairs",
                    tmp_path / "p.csv", "--out", tmp_path / f"{k}.csv") == 0
        assert ("of the new ones they are 0" in capsys.readouterr().out) == (not more)
        means.append(pyarrow.csv.read_csv(tmp_path / f"{k}.csv")["mean"][0].as_py())
    assert means[0] != means[1]


@pytest.mark.parametrize("words, why", [
    (["--pairs", "{0}/p.csv", "--use-times", "--out", "{0}/o.csv"], "the fit has no effects of time"),
    (["--recommend", "all", "--use-times", "--out", "{0}/o.csv"], "--use-times would change nothing"),
    (["--pairs", "{0}/p.csv", "--user-features", "{0}/p.csv", "--out", "{0}/o.csv"], "--user-features would change"),
    (["--recommend", "all", "--new-users", "{0}/new.csv", "--user-features", "{0}/p.csv", "--out", "{0}/o.csv"],
     "the fit has no features of users from a file"),
    (["--out", "{0}/o.csv"], "--pairs FILE, or --recommend"),
    (["--pairs", "{0}/p.csv"], "--out predictions.csv"),
    (["--pairs", "{0}/p.csv", "--out", "{0}/o.xls"], "or .parquet"),
    (["--pairs", "{0}/p.csv", "--out", "{0}/nowhere/o.csv"], "there is no folder"),
    (["--pairs", "{0}/p.csv", "--out", "{0}/p.csv"], "is there already"),
    (["--pairs", "{0}/absent.csv", "--out", "{0}/o.csv"], "there is no file"),
    (["--pairs", "{0}/p.csv", "--top", "3", "--out", "{0}/o.csv"], "--top would change nothing"),
    (["--pairs", "{0}/p.csv", "--level", "1.5", "--out", "{0}/o.csv"], "--level lie between 0 and 1"),
    (["--pairs", "{0}/q.csv", "--out", "{0}/o.csv"], "none is known as item"),
    (["--pairs", "{0}/r.csv", "--out", "{0}/o.csv"], "line 3 has no item id"),
    (["--recommend", "{0}/p.csv", "--out", "{0}/o.csv"], "there is no user zed in the fit"),
    (["--recommend", "all", "--new-users", "{0}/old.csv", "--out", "{0}/o.csv"], "is in the fit already"),
    (["--recommend", "all", "--new-users", "{0}/far.csv", "--out", "{0}/o.csv"], "off the scale 1 to 5"),
    (["--recommend", "all", "--new-users", "{0}/twice.csv", "--out", "{0}/o.csv"], "rates an item twice"),
    (["--recommend", "all", "--new-users", "{0}/other.csv", "--out", "{0}/o.csv"], "knows none of these items"),
])
def test_what_is_refused(fits, tmp_path, words, why, capsys):
    for name, text in {"p": "user,item\nzed,001\n", "q": "user,colour\nu00,red\n", "r": "user,item\nu00,001\nu01,\n",
                       "old": "user,item,rating\nu00,001,3\n", "far": "user,item,rating\nann,001,9\n",
                       "twice": "user,item,rating\nann,001,3\nann,001,4\n",
                       "new": "user,item,rating\nann,001,3\n", "other": "user,item,rating\nann,x,3\n"}.items():
        (tmp_path / f"{name}.csv").write_text(text)
    assert door("predict", fits / "chain", *(w.format(tmp_path) for w in words)) == 2
    said = capsys.readouterr().err
    assert why in said and said.count("\n") == 1 and not (tmp_path / "o.csv").exists()


def test_what_is_no_fit_is_refused(fits, tmp_path, capsys):
    assert door("--problem", 1, "--image", "small", "--method", "strip", "--bare", "--out", tmp_path / "grid") == 0
    (tmp_path / "p.csv").write_text("user,item\nu00,001\n")
    for what, why in ((tmp_path / "grid", "is no fit of ratings"), (fits / "others", "several fits"),
                      (tmp_path, "no saved fit"), (tmp_path / "absent.nc", "no result at")):
        assert door("predict", what, "--pairs", tmp_path / "p.csv", "--out", tmp_path / "o.csv") == 2
        assert why in capsys.readouterr().err
