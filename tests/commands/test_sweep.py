"""Sweeps: what their words mean, what they leave, and that neither order nor interruption changes a byte."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import run
from commands import sweep
from experiments.problem2.request import Request
from inference.result import Result
from runs import cells
from tests.support import ROOT

pytestmark = pytest.mark.usefixtures("undrawn")
GRID = ["--problem", "1", "--image", "small"]
SWEEP = [*GRID, "--sweeps", "40", "--sweep", "method=gibbs,mean_field", "beta=0.1,0.2", "seed=1-2"]


def door(*argv: object) -> int:
    return run.guarded([str(a) for a in argv])


def same(one: Path, other: Path) -> bool:
    """Two results, but for the seconds."""
    a, b = Result.load(one), Result.load(other)
    return all(np.array_equal(x[name], y[name], equal_nan=True)
               for x, y in ((a.draws, b.draws), (a.expected, b.expected), (a.trace, b.trace)) for name in x)


def results(folder: Path) -> dict[str, Path]:
    return {str(p.relative_to(folder)): p for p in sorted(folder.rglob("*.nc"))}


@pytest.fixture(scope="module")
def swept(tmp_path_factory) -> Path:
    """Eight runs, two at a time."""
    out = tmp_path_factory.mktemp("sweeps") / "parallel"
    assert door(*SWEEP, "--jobs", 2, "--out", out) == 0
    return out


def test_words_are_the_values_of_options():
    parser = run.parser_for("2")
    words = ["rank=1-3,7", "method=coordinate_ascent:covariance=row;row_gibbs", "lr=0.1,1e-3", "biases=yes,no",
             "split=0.8,0.1,0.1;", "data_seed=4"]
    assert cells.swept(words, parser) == {
        "rank": ["1", "2", "3", "7"], "method": ["coordinate_ascent:covariance=row", "row_gibbs"],
        "lr": ["0.1", "1e-3"], "biases": ["yes", "no"], "split": ["0.8,0.1,0.1"], "data-seed": ["4"]}


def test_cells_are_the_product_as_ordinary_arguments(tmp_path):
    parser = run.parser_for("2")
    base = sweep.without(["--problem", "2", "--sweep", "rank=1", "seed=0", "--out", "x", "--epochs", "3", "--jobs=4"])
    assert base == ["--problem", "2", "--epochs", "3"]
    found = cells.cells({"rank": ["1", "2"], "biases": ["yes", "no"]}, base, tmp_path, parser, Request)
    assert [c.name for c in found] == ["rank=1,biases=yes", "rank=1,biases=no", "rank=2,biases=yes", "rank=2,biases=no"]
    assert [tuple(vars(c.request)[n] for n in ("rank", "biases", "bare", "epochs")) for c in found] == [
        (1, True, True, 3), (1, False, True, 3), (2, True, True, 3), (2, False, True, 3)]
    again = run.parser_for("2").parse_args(list(found[0].request.argv))
    assert Request.made(vars(again), found[0].request.argv) == found[0].request
    names = [c.name for c in cells.cells({"method": ["a/mine.py", "b/mine.py"]}, base, tmp_path, parser, Request)]
    assert names == ["method=mine", "method=mine-1"]


@pytest.mark.parametrize("words, message", [
    (["rnak=1-3"], "unknown option to sweep 'rnak': did you mean 'rank'"),
    (["out=a,b"], "unknown option to sweep 'out'"),
    (["problem=1,2"], "unknown option to sweep 'problem'"),
    (["rank"], "--sweep takes OPTION=VALUES"),
    (["rank="], "--sweep takes OPTION=VALUES"),
    (["rank=3-1"], "the range 3-1 is empty"),
    (["rank=1,,2"], "'' cannot be a value of --rank; give whole numbers"),
    ([f"seed={'2' * 4800}-3"], "cannot be a value of --seed; give whole numbers"),
    (["rank=²-³"], "'²-³' cannot be a value of --rank; give whole numbers"),
    (["rank=a"], "'a' cannot be a value of --rank; give whole numbers, like 1,2 or 1-10"),
    (["lr=0.1-0.5"], "'0.1-0.5' cannot be a value of --lr; give numbers, like 0.1,0.2"),
    (["rank=1-3,2"], "2 is there twice"),
    (["rank=1", "rank=2"], "rank is given twice"),
    (["biases=maybe"], "'maybe' must be yes or no"),
    (["seed=0-1", "--seed", "3"], "--seed is both swept and given"),
    (["method=coordinate_ascent,svi", "rank=1-2"], "unknown method 'svi'"),
    (["method=absent.py", "rank=1-2"], "no file absent.py"),
    (["seed=0-1", "--jobs", "0"], "--jobs must be at least 1"),
    (["seed=0-1", "--epochs", "x"], "invalid int value"),
])
def test_wrong_words_are_one_sentence_before_anything_runs(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert door("--problem", "2", "--sweep", *words) == 2
    error = capsys.readouterr().err
    assert message in error and error.startswith("error: ") and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_every_combination_is_an_ordinary_run(swept, tmp_path, capsys):
    assert len(results(swept)) == 8
    stored = json.loads((swept / "sweep.json").read_text())
    assert stored["swept"] == {"method": ["gibbs", "mean_field"], "beta": ["0.1", "0.2"], "seed": ["1", "2"]}
    assert {str(Path(name).parent) for name in results(swept)} == set(stored["cells"])
    cell = swept / "method=gibbs,beta=0.2,seed=2"
    assert {p.name for p in cell.iterdir()} == {"run.json", "summary.json", "gibbs.nc", "gibbs.json"}
    assert {p.name for p in swept.glob("*.*")} >= {"comparison.json", "curves.png", "run.json", "sweep.json"}
    rows = json.loads((swept / "comparison.json").read_text())["results"]
    assert {(r["name"], r["settings"]["beta"], r["seed"]) for r in rows} == {
        (m, b, s) for m in ("gibbs", "mean_field") for b in ("0.1", "0.2") for s in (1, 2)}
    by_hand = tmp_path / "by_hand"
    assert door(*GRID, "--sweeps", 40, "--method", "gibbs", "--beta", 0.2, "--seed", 2, "--out", by_hand) == 0
    assert same(cell / "gibbs.nc", by_hand / "gibbs.nc")
    assert door("compare", swept, "--out", tmp_path / "again") == 0
    assert "means over seeds" in capsys.readouterr().out
    assert json.loads((tmp_path / "again" / "comparison.json").read_text())["results"] == rows


def test_parallel_is_sequential_byte_for_byte(swept, tmp_path):
    assert door(*SWEEP, "--jobs", 1, "--out", tmp_path / "one") == 0
    one, two = results(tmp_path / "one"), results(swept)
    assert one.keys() == two.keys() and all(same(one[name], two[name]) for name in one)


def test_resume_runs_what_is_missing_and_nothing_else(swept, tmp_path, capsys):
    out = tmp_path / "again"
    shutil.copytree(swept, out)
    argv = json.loads((out / "run.json").read_text())
    argv["argv"][argv["argv"].index("--out") + 1] = str(out)
    (out / "run.json").write_text(json.dumps(argv))
    shutil.rmtree(out / "method=gibbs,beta=0.1,seed=1")
    before = {name: path.stat().st_mtime_ns for name, path in results(out).items()}
    assert len(before) == 7 and door("--resume", out) == 0
    assert "7 of them finished before" in capsys.readouterr().out
    after = {name: path.stat().st_mtime_ns for name, path in results(out).items()}
    assert len(after) == 8 and before.items() <= after.items()
    assert all(same(path, results(swept)[name]) for name, path in results(out).items())


def test_a_failed_run_is_a_sentence_and_stops_no_other(tmp_path, capsys):
    out = tmp_path / "out"
    assert door("--problem", "1", "--image", "flag", "--sweeps", 2, "--jobs", 2, "--out", out,
                "--sweep", "method=brute_force,mean_field") == 1
    said = capsys.readouterr().out
    assert "failed: method=brute_force: " in said and "can be listed; use the method 'strip'" in said
    assert "1 of 2 runs finished" in said
    assert "Traceback" not in said and list(results(out)) == ["method=mean_field/mean_field.nc"]


def test_seeds_are_of_the_methods_and_the_data_stay(tmp_path):
    rng = np.random.default_rng(0)
    lines = [f"{i},{j},{rng.integers(1, 6)}" for i in range(40) for j in range(8)]
    (tmp_path / "r.csv").write_text("\n".join(["user,item,rating", *lines]))
    base = ["--problem", "3", "--ratings", tmp_path / "r.csv", "--sweeps", 10, "--split", "0.8,0,0.2", "--kernel",
            "row_gibbs:engine=torch", "--chains", 1]
    assert door(*base, "--sweep", "rank=1,2", "seed=0-1", "--out", tmp_path / "seeds") == 0
    assert door(*base, "--sweep", "data-seed=0,1", "--out", tmp_path / "data") == 0
    for folder, count in (("seeds", 1), ("data", 2)):
        rows = json.loads((tmp_path / folder / "comparison.json").read_text())["results"]
        assert len({json.dumps(r["data"]) for r in rows}) == count
    draws = [Result.load(p).draws["prediction"] for p in results(tmp_path / "seeds").values()]
    assert len({d.tobytes() for d in draws}) == 4


LONG = ["--problem", "1", "--image", "flag", "--beta", "0.1", "--damping", "0.5", "--sweeps", "1500",
        "--sweep", "method=mean_field:schedule=synchronous", "evidence=9,10", "--jobs", "2"]


def begun(out: Path, argv: list[str]) -> subprocess.Popen[str]:
    """The process of a sweep, both of whose runs have begun."""
    process = subprocess.Popen([sys.executable, "run.py", *argv, "--out", out], cwd=ROOT, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for _ in range(600):
        if len(list(out.glob("method=*/run.json"))) == 2:
            break
        time.sleep(0.1)
    time.sleep(0.3)
    return process


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="processes are looked for in /proc")
def test_a_sweep_that_is_killed_leaves_no_process_behind(tmp_path):
    """Its runs notice that it is gone, and save what they have reached."""
    out = tmp_path / "killed"
    process = begun(out, ["300000" if word == "1500" else word for word in LONG])
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    here = str(tmp_path).encode()

    def left() -> list[str]:
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                log = os.readlink(folder / "fd" / "1").encode()
                found += [folder.name] * (here in log)
        return found

    for _ in range(200):
        if not left():
            break
        time.sleep(0.1)
    assert not left()
    assert list(out.glob("method=*/*.checkpoint.npz"))  # of both, unless one has not taken a step yet


@pytest.mark.slow
def test_a_signal_keeps_what_is_done_and_resume_gives_the_same_bytes(tmp_path):
    argv, out = LONG, tmp_path / "stopped"
    process = begun(out, argv)
    os.kill(process.pid, signal.SIGTERM)
    said, errors = process.communicate(timeout=120)
    assert process.returncode == 143, said + errors
    assert "--resume" in said and "Traceback" not in said + errors
    assert door("--resume", out) == 0
    alone = tmp_path / "alone"
    assert door(*argv[:-2], "--jobs", "1", "--out", alone) == 0
    one, two = results(out), results(alone)
    assert len(one) == 2 and one.keys() == two.keys() and all(same(one[name], two[name]) for name in one)
