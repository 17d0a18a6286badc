"""A save is one thing: whatever happens to the disk at whatever moment, the next run gives the same bytes."""

import errno
import itertools
import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from inference import load
from inference.drive import drive
from inference.job import Plan
from inference.result import Result
from models.grid import GridMRF
from runs import folder, runner
from runs.task import Task

CALLS = ("open", "fsync", "replace", "unlink")  # of `os`: where a save meets the disk
KILLED, NEVER = 9, 3
METHOD = '''"""Flips coins."""
from dataclasses import dataclass
import torch
FAMILY = "mcmc"

@dataclass(frozen=True)
class State:
    labels: torch.Tensor

def init(rng, model, data):
    return State(torch.zeros(model.shape[:2], dtype=torch.int64))

def step(rng, state, model, data):
    return State(torch.randint(model.shape[2], model.shape[:2], generator=rng)), {"accept": 1.0}

def draw(rng, state, model):
    return {"labels": state.labels}
'''

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills a forked process")


@pytest.fixture
def task(tmp_path: Path) -> Task:
    (tmp_path / "coins.py").write_text(METHOD)
    model = GridMRF.potts(torch.eye(2)[torch.tensor([[0, 1], [1, 1]])], 1.0, (0.5, 0.1))
    return Task(load.method("grid", str(tmp_path / "coins.py")), model, None, Plan(steps=3, chains=2, seed=4))


def run(out: Path, task: Task) -> Result:
    """As the door does it: alone in the folder, saved after every step."""
    with folder.held(out), runner.running(out, Console(quiet=True)) as runs:
        return runs(task)


def met(at: int, how: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """From here the `at`-th meeting with the disk fails: with error number `how`, or by the end of the process.
    The meetings so far."""
    meetings: list[str] = []

    def wrapped(call, *args, **kwargs):
        meetings.append(call.__name__)
        if len(meetings) == at:
            if how == KILLED:
                os._exit(KILLED)
            raise OSError(how, os.strerror(how))
        return call(*args, **kwargs)

    for name in CALLS:
        monkeypatch.setattr(os, name, partial(wrapped, getattr(os, name)))
    monkeypatch.setattr(runner, "drive", partial(drive, save_every=-1.0))
    return meetings


def child(out: Path, task: Task, at: int, how: int) -> int:
    """The exit status of a process that runs the task and meets a failure; NEVER where it did not come to that."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            with pytest.MonkeyPatch.context() as patch:
                meetings = met(at, how, patch)
                run(out, task)
                status = NEVER if len(meetings) < at else 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def moments(out: Path, task: Task, how: int) -> Iterator[Path]:
    """A folder for every moment at which a run can meet the failure, after it has."""
    for at in itertools.count(1):
        place = out / f"{how}-{at}"
        place.mkdir(parents=True)
        if child(place, task, at, how) == NEVER:
            assert at > 20  # it went through every save of the run
            return
        yield place


@pytest.mark.parametrize("how", [KILLED, pytest.param(errno.ENOSPC, marks=pytest.mark.slow)])
def test_a_run_that_is_stopped_at_any_moment_of_a_save_goes_on_to_the_same_bytes(task, tmp_path, how):
    (tmp_path / "whole").mkdir()
    task = replace(task, plan=replace(task.plan, steps=2))
    once = run(tmp_path / "whole", task)
    for place in moments(tmp_path / "stopped", task, how):
        found = {path.name for path in place.iterdir()}
        if how != KILLED:
            assert not any(name.endswith(".part") for name in found), found
            assert "coins.json" not in found or "coins.nc" in found, (place, found)
        assert "coins.nc" not in found or "coins.json" in found, (place, found)
        again = run(place, task)
        assert {path.name for path in place.iterdir()} == {"coins.nc", "coins.json"}
        assert np.array_equal(again.draws["labels"], once.draws["labels"])
        saved = Result.load(place / "coins.nc")
        assert np.array_equal(saved.draws["labels"], once.draws["labels"])
        assert (place / "coins.json").read_text() == saved._words()


def test_how_often_it_saved_is_said(task, tmp_path, monkeypatch, capsys):
    """One after the first step; further ones once 20 times as long as it took have passed; none after the last."""
    monkeypatch.setattr(runner, "drive", partial(drive, save_every=-1.0))
    console = Console(width=200)
    with runner.running(tmp_path, console) as run_it:
        run_it(task)
    count = len(run_it.saves)
    assert 1 <= count < task.plan.steps and min(run_it.saves) > 0
    assert f"Saved {count} time{'s' * (count > 1)} on the way, in " in capsys.readouterr().out
    monkeypatch.setattr(runner, "drive", drive)
    (tmp_path / "again").mkdir()
    with runner.running(tmp_path / "again", console) as run_it:
        run_it(task)
    assert "Saved" not in capsys.readouterr().out
