"""Going on with a run: nothing of a folder is executed, nothing outside of it written, and no two runs are mixed."""

import json
import os
import re
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

import run
from inference.result import Result

EVIL = "from pathlib import Path\nPath('{flag}').write_text('ran')\n"
MINE = (Path(__file__).parents[2] / "examples" / "grid_transition.py").read_text()
GRID = ["--problem", "1", "--sweeps", "20", "--chains", "1", "--bare"]


def door(*argv: object) -> int:
    return run.guarded([str(a) for a in argv])


def rewritten(folder: Path, **values: object) -> None:
    """Other words in a folder's run.json, as somebody who wants harm would write them."""
    path = folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.fixture
def image(tmp_path, monkeypatch) -> Path:
    """An image in the working directory, named by a relative path."""
    monkeypatch.chdir(tmp_path)
    np.save("noisy.npy", np.array([[0, 1, 1], [0, 0, 1]]))
    return Path("noisy.npy")


@pytest.fixture
def begun(image) -> Path:
    """A finished run on it, as if it had been stopped before its summary."""
    assert door(*GRID, "--image", image, "--method", "gibbs", "--out", "out") == 0
    Path("out", "summary.json").unlink()
    return Path("out")


@pytest.mark.parametrize("words", [
    ["--method", "{0}"], ["--method={0}"], ["--method", "{0}:transition"], ["--meth", "{0}"],
    ["--sweep", "method={0},gibbs"], ["--sweep", "method= {0} ,gibbs", "seed=0-1"],
])
def test_no_file_is_executed_because_a_folder_says_so(begun, words, tmp_path, capsys):
    (tmp_path / "evil.py").write_text(EVIL.format(flag=tmp_path / "flag"))
    rewritten(begun, argv=[*GRID, *(w.format(tmp_path / "evil.py") for w in words)])
    assert door("--resume", begun) == 2
    assert not (tmp_path / "flag").exists()
    said = capsys.readouterr().err
    assert "no file is executed" in said and "evil.py" in said and "python run.py --resume out --" in said
    assert said.count("\n") == 1


def test_no_file_of_another_problem_either(begun, tmp_path, capsys):
    evil = tmp_path / "evil.py"
    evil.write_text(EVIL.format(flag=tmp_path / "flag"))
    for words in (["--problem", "2", "--guide", evil], ["--problem", "3", "--kernel", evil],
                  ["--problem", "3", "--compare", f"coordinate_ascent,{evil}"], ["--check", evil]):
        rewritten(begun, argv=[str(word) for word in words])
        assert door("--resume", begun) == 2 and "no file is executed" in capsys.readouterr().err
    assert not (tmp_path / "flag").exists()


def test_the_file_that_is_executed_is_the_one_that_is_named(image, tmp_path, monkeypatch, capsys):
    """From another directory, the file lies elsewhere by the same words; the image is found where it was."""
    Path("mine.py").write_text(MINE)
    words = [*GRID, "--image", "noisy.npy", "--method", "mine.py", "--out"]
    assert door(*words, "out") == 0 and door(*words, "whole") == 0
    out, whole = tmp_path / "out", tmp_path / "whole"
    for name in ("summary.json", "mine.nc"):
        (out / name).unlink()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    capsys.readouterr()
    assert door("--resume", out) == 2
    command = capsys.readouterr().err.partition("as in: python run.py ")[2].split()
    assert command == ["--resume", str(out), "--method", "mine.py"]
    assert door(*command) == 2 and "no file mine.py" in capsys.readouterr().err
    Path("mine.py").write_text(MINE + "# another\n")
    assert door(*command) == 2 and "mine.py: not as when the run in" in capsys.readouterr().err
    Path("mine.py").write_text(MINE)
    for more in (["--method", "gibbs"], ["--sweeps", "30"], ["--method", "other.py"]):
        assert door("--resume", out, *more) == 2 and "cannot be given beside it" in capsys.readouterr().err
    assert door(*command[:-1], tmp_path / "mine.py") == 0
    a, b = Result.load(out / "mine.nc"), Result.load(whole / "mine.nc")
    assert np.array_equal(a.draws["labels"], b.draws["labels"])


def test_outputs_are_never_taken_from_a_folder(begun, tmp_path, capsys):
    rewritten(begun, argv=[*GRID, "--image", "small", "--expo", str(tmp_path / "taken.npy")])
    assert door("--resume", begun) == 2 and "--export" in capsys.readouterr().err
    rewritten(begun, argv=[*GRID, "--image", "noisy.npy", "--method", "gibbs", "--out", str(tmp_path / "taken")])
    assert door("--resume", begun) == 0 and (begun / "summary.json").exists()
    rewritten(begun, argv=["--problem", "1", "--export", str(tmp_path / "taken.npy"), "--sweep", "image=small,flag"])
    assert door("--resume", begun) == 2 and "--export" in capsys.readouterr().err
    assert not list(tmp_path.glob("taken*"))


@pytest.mark.parametrize("make", [lambda path, aim: path.symlink_to(aim), lambda path, aim: os.mkfifo(path)])
@pytest.mark.parametrize("name", ["denoised.png", "logs", "gibbs.checkpoint.npz"])
def test_a_folder_with_a_way_out_is_refused(begun, tmp_path, make, name, capsys):
    aim = tmp_path / "aim"
    aim.write_text("keep me")
    make(begun / name, aim)
    assert door("--resume", begun) == 2
    assert name in capsys.readouterr().err and aim.read_text() == "keep me"


def test_a_changed_image_is_named(begun, capsys):
    """Before the run, and where a finished result would have been taken for it."""
    np.save("noisy.npy", np.array([[0, 1, 1], [0, 0, 0]]))
    assert door("--resume", begun) == 2
    assert "--image noisy.npy: not as when the run in out was started" in capsys.readouterr().err
    files = json.loads((begun / "run.json").read_text())["files"]
    shutil.copytree(begun, "copy")
    assert door(*GRID, "--image", "noisy.npy", "--method", "gibbs", "--out", "other") == 0
    now = json.loads(Path("other", "run.json").read_text())["files"]
    assert files.keys() == now.keys() and files != now
    rewritten(Path("copy"), files=now)  # the record agrees, the result does not
    assert door("--resume", "copy") == 2
    assert "gibbs.nc is of another run (what differs: the data 'grid')" in capsys.readouterr().err


def test_other_code_is_named(begun, monkeypatch, capsys):
    monkeypatch.setattr("inference.identity.code", lambda: "of another day")
    assert door("--resume", begun) == 2
    assert "the code of this program: not as when" in capsys.readouterr().err


def test_a_swept_image_that_changed_is_named(image, monkeypatch, capsys):
    """Although the run of the other image is finished, and would be left alone."""
    monkeypatch.setattr("commands.sweep._run", lambda *_: ([], signal.SIGINT))  # stopped before anything ran
    words = ["--problem", "1", "--image", "noisy.npy", "--method", "gibbs", "--sweeps", "20"]
    assert door(*words, "--sweep", "beta=0.1,0.2", "--out", "out") == 130
    assert door(*words, "--beta=0.1", "--bare", "--out=out/beta=0.1") == 0
    assert door("--resume", "out") == 130 and "1 of them finished before" in capsys.readouterr().out
    np.save("noisy.npy", np.array([[0, 1, 1], [0, 0, 0]]))
    capsys.readouterr()
    assert door("--resume", "out") == 2
    assert "--image noisy.npy: not as when the run in out/beta=0.1 was started" in capsys.readouterr().err
    assert not Path("out/beta=0.2").exists()


@pytest.mark.parametrize("text", ["", "null", "[]", '{"argv": 3}', '{"problem": "1", "argv": ["--problem", 1]}',
                                  "[" * 100_000, '{"argv": []}'])
def test_a_record_that_is_none_is_one_sentence(begun, text, capsys):
    (begun / "run.json").write_text(text)
    assert door("--resume", begun) == 2
    said = capsys.readouterr().err
    assert "run.json" in said and said.count("\n") == 1 and len(said) < 300


def test_one_process_at_a_time(begun, capsys):
    from runs import folder

    with folder.held(begun):
        assert door("--resume", begun) == 2
    assert "another process is at work in out" in capsys.readouterr().err
    assert door("--resume", begun) == 0


def test_nothing_is_unpickled():
    """Neither arrays of objects nor anything else that executes what it reads."""
    root, found = Path(__file__).parents[2], []
    for path in root.rglob("*.py"):
        if not {"tests", "bench", ".venv"} & set(path.relative_to(root).parts):
            for line in path.read_text().splitlines():
                loads = "np.load(" in line and "allow_pickle=False" not in line
                found += [f"{path}: {line}"] * (loads or any(word in line for word in (
                    "allow_pickle=True", "import pickle", "torch.load(", "read_pickle", "joblib", "marshal", "shelve",
                    "param_store.load", "eval(", "exec(", "yaml.load", "dill")))
    ours = ("retrieval(", "inference/user_file.py:         exec(compile(",  # the file that the person named
            "entries.py:     exec(",  # what it has written itself, of numbers and of its own rules
            "runs/cluster.py: import pickle")  # between processes that Dask has joined, none of it from a file
    assert not [line for line in found if not any(word in line for word in ours)]
    read = re.findall(r"pickle\.loads?\(.*?\)", (root / "runs" / "cluster.py").read_text())
    assert sorted(read) == ["pickle.load(sys.stdin.buffer)", "pickle.loads(task)"]
