"""Features from files in a run: what they gain where they tell, which are used is said, another file is another run."""

import numpy as np
import pytest

import run
from inference.result import Result

pytestmark = pytest.mark.usefixtures("one_thread")
MODEL = ("--model", "noise+hierarchical+biases+features")


def door(*argv: object) -> int:
    return run.guarded([str(a) for a in argv])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Ratings that depend on the users' trade and the items' kind, both in files."""
    folder, rng = tmp_path_factory.mktemp("side"), np.random.default_rng(0)
    trade, kind, taste = rng.integers(4, size=150), rng.integers(5, size=60), rng.normal(size=(4, 5))
    lines = [f"{u + 1}\t{i + 1}\t{np.clip(round(3 + taste[trade[u], kind[i]] + 0.7 * rng.normal()), 1, 5)}"
             for u in range(150) for i in rng.choice(60, 8, replace=False)]
    (folder / "u.data").write_text("\n".join(lines))
    (folder / "u.user").write_text("\n".join(f"{u + 1}|{rng.integers(20, 60)}|trade {trade[u]}" for u in range(150)))
    (folder / "items.csv").write_text("Item ID,genre\n" + "\n".join(f"{i + 1},{'abcde'[kind[i]]}" for i in range(60)))
    return folder


def words(files, *more):
    return ("--problem", 3, "--ratings", files / "u.data", "--scale", "1,5", "--split", "0.7,0,0.3", "--rank", 3,
            "--sweeps", 120, "--chains", 1, "--bare", *more)


def both(files):
    return ("--user-features", files / "u.user", "--item-features", files / "items.csv")


def test_what_files_tell_is_used(files, tmp_path, capsys):
    """Judge: the squared errors of the ladder without features on the same split, by twice their standard error."""
    chosen = {"without": ("--model", "noise+hierarchical+biases"), "files": (*MODEL, *both(files), "--no-implicit"),
              "together": (*MODEL, *both(files))}
    errors, said = {}, {}
    for name, more in chosen.items():
        assert door(*words(files, *more, "--out", tmp_path / name)) == 0
        said[name] = capsys.readouterr().out
        result = Result.load(tmp_path / name / "ladder_gibbs.nc")
        error = result.groups["constant_data"]["test_rating"] - result.expected["test_mean"]
        errors[name] = error**2
    assert "features of users: 60 implicit and 5 of the file; of items: 150 implicit and 5 of the file" in \
        said["together"] and "features of users: 5 of the file; of items: 5 of the file" in said["files"]
    for name in ("files", "together"):
        gain = errors["without"] - errors[name]
        assert gain.mean() > 2 * gain.std() / len(gain) ** 0.5


def test_another_file_is_another_run(files, tmp_path, capsys):
    """Of the files as they were the chain goes on; of others it says what differs."""
    mine = tmp_path / "mine.csv"
    mine.write_bytes((files / "items.csv").read_bytes())
    argv = words(files, *MODEL, "--item-features", mine, "--no-implicit", "--out", tmp_path / "out")
    assert door(*argv) == 0
    assert door("--resume", tmp_path / "out") in (0, 2) and "what differs" not in capsys.readouterr().err
    mine.write_text(mine.read_text().replace(",a", ",b"))
    assert door("--resume", tmp_path / "out") == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize(("more", "why"), [
    (("--user-features", "{0}/u.user"), "--user-features would change nothing: only a model with features"),
    ((*MODEL, "--no-implicit"), "--no-implicit leaves no features"),
    ((*MODEL, "--user-features", "{0}/absent"), "there is no file"),
    ((*MODEL, "--user-features", "{0}/u.data"), "more than one row for user"),
])
def test_what_cannot_be_is_a_sentence(files, tmp_path, more, why, capsys):
    assert door(*words(files, *(w.format(files) for w in more), "--out", tmp_path / "out")) == 2
    said = capsys.readouterr().err
    assert why in said and said.count("\n") == 1 and not (tmp_path / "out").exists()
