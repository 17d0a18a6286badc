"""Sweeps on a cluster, on a scheduler in this machine; its workers are in processes of their own where one is lost."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import run
from errors import InputError
from inference.result import Result
from runs import cluster as cluster_room
from tests.support import ROOT

distributed = pytest.importorskip("distributed", reason="requirements-cluster.txt is not installed")

BASE = ["--problem", "1", "--image", "flag", "--sweeps", "2"]
SWEEP = [*BASE, "--sweep", "method=gibbs,brute_force"]
LONG = ["--problem", "1", "--image", "small", "--method", "gibbs", "--chains", "1", "--sweeps", "30000",
        "--sweep", "seed=1-2"]
QUIET = {"dashboard_address": ":0"}


@pytest.fixture(scope="module")
def cluster():
    """A worker in a thread of this process, two cells at a time, each in a process of its own."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(ROOT)
    with distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, protocol="tcp", **QUIET) as found:
        yield found
    os.environ.pop("PYTHONPATH") if before is None else os.environ.update(PYTHONPATH=before)


def door(*argv: object) -> int:
    return run.guarded([str(a) for a in argv])


def arrays(folder: Path) -> dict[str, bytes]:
    """Every array of every result but the seconds, by result and name."""
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*.nc")):
        result = Result.load(path)
        for part in (result.draws, result.expected, result.trace):
            found |= {f"{path.relative_to(folder)}: {name}": np.ascontiguousarray(a).tobytes()
                      for name, a in part.items()}
    return found


def begun(argv: list[str], out: Path, workers: Path) -> subprocess.Popen[str]:
    """The process of a sweep whose two runs are at work."""
    process = subprocess.Popen([sys.executable, "run.py", *argv, "--out", out], cwd=ROOT, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for _ in range(600):
        if len(list(workers.glob("crosscheck-*/seed=*/run.json"))) == 2:
            return process
        time.sleep(0.1)
    process.kill()
    raise AssertionError("no run began in a minute: " + process.communicate()[1])


@pytest.mark.usefixtures("undrawn")
def test_a_run_there_is_the_run_here_a_failed_one_a_sentence_and_a_resumed_sweep_tries_it_again(
        cluster, tmp_path, capsys):
    there, here = tmp_path / "there", tmp_path / "here" / "method=gibbs"
    assert door(*SWEEP, "--cluster", cluster.scheduler_address, "--out", there) == 1
    said = capsys.readouterr().out
    assert "failed: method=brute_force: " in said and "can be listed" in said and "1 of 2 runs finished" in said
    assert "Traceback" not in said and "/crosscheck-" not in said
    assert door(*BASE, "--method", "gibbs", "--bare", "--out", here) == 0
    assert len(list(there.rglob("*.nc"))) == 1 and arrays(there) == arrays(here.parent)
    log = (there / "logs" / "method=gibbs.txt").read_text()
    assert f"Problem 1: flag -> {there / 'method=gibbs'}" in log
    assert "cluster" not in (there / "run.json").read_text()  # whoever goes on says whom to hand work to
    assert door("--resume", there, "--cluster", cluster.scheduler_address) == 1
    assert "1 of them finished before" in capsys.readouterr().out


@pytest.mark.slow
def test_the_results_of_workers_in_processes_of_their_own_are_those_of_processes_here(cluster, tmp_path, capsys):
    there, here = tmp_path / "there", tmp_path / "here"
    argv = [*BASE, "--sweep", "method=gibbs,mean_field"]
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, **QUIET) as own:
        assert door(*argv, "--cluster", own.scheduler_address, "--out", there) == 0
    assert "2 of 2 runs finished" in capsys.readouterr().out
    assert door(*argv, "--jobs", 1, "--out", here) == 0
    assert len(list(there.rglob("*.nc"))) == 2 and arrays(there) == arrays(here)


@pytest.mark.slow
def test_a_worker_that_is_lost_costs_a_run_its_time_and_nothing_else(cluster, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    out, alone = tmp_path / "out", tmp_path / "alone"
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, **QUIET) as own:
        process = begun([*LONG, "--cluster", own.scheduler_address], out, tmp_path)
        os.kill(own.workers[0].pid, signal.SIGKILL)
        said, errors = process.communicate(timeout=120)
    assert process.returncode == 0, said + errors
    assert door(*LONG, "--out", alone) == 0 and arrays(out) == arrays(alone)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="processes are looked for in /proc")
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_a_sweep_that_is_gone_leaves_nothing_running(signum, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    endless = ["3000000" if word == "30000" else word for word in LONG]
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, **QUIET) as own:
        process = begun([*endless, "--cluster", own.scheduler_address], tmp_path / "out", tmp_path)
        os.kill(process.pid, signum)
        said, errors = process.communicate(timeout=60)
        if signum == signal.SIGTERM:
            assert process.returncode == 143 and f"--resume {tmp_path / 'out'} --cluster" in said, said + errors
        for _ in range(300):
            left = list(tmp_path.glob("crosscheck-*"))
            if not left:
                break
            time.sleep(0.1)
        assert not left


@pytest.mark.parametrize("argv, message", [
    (["--problem", "1", "--cluster", "tcp://127.0.0.1:1"], "--cluster is who runs the cells of a --sweep"),
    (["--problem", "all", "--cluster", "tcp://127.0.0.1:1"], "--cluster"),
    ([*SWEEP, "--cluster", "nowhere"], "no Dask scheduler answers at nowhere"),
    ([*SWEEP, "--jobs", "2", "--cluster", "tcp://127.0.0.1:1"], "leave it out beside --cluster"),
])
def test_wrong_words_are_one_sentence(argv, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("runs.cluster.PATIENCE", 1)
    assert door(*argv) == 2
    error = capsys.readouterr().err
    assert message in error and error.startswith("error: ") and error.count("\n") == 1
    assert not list(tmp_path.glob("results/*/*.nc"))


@pytest.mark.parametrize(("code", "left"), [(0, {"summary.json"}), (1, {"gibbs.checkpoint.npz", "summary.json"})])
def test_what_was_begun_here_gives_way_to_what_was_finished_there(code, left, tmp_path):
    place = tmp_path / "seed=1"
    place.mkdir()
    (place / "gibbs.checkpoint.npz").write_text("begun here")
    request = SimpleNamespace(problem="1", argv=(), cwd=tmp_path, data_files={})
    done: Any = SimpleNamespace(status="finished", result=lambda: (code, "", 1.0, {"seed=1/summary.json": b"{}"}))
    cell: Any = SimpleNamespace(name="seed=1", place=place, request=request)
    assert cluster_room._outcome(cell, done).code == code
    assert {path.name for path in place.iterdir()} == left


def test_a_file_that_would_leave_the_sweep_is_refused(tmp_path):
    request = SimpleNamespace(problem="1", argv=(), cwd=tmp_path, data_files={})
    done: Any = SimpleNamespace(status="finished", result=lambda: (0, "", 1.0, {"../elsewhere": b""}))
    cell: Any = SimpleNamespace(name="a", place=tmp_path / "out" / "a", request=request)
    with pytest.raises(InputError, match="outside of the sweep"):
        cluster_room._outcome(cell, done)
    assert not list(tmp_path.iterdir())
