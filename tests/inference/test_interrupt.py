"""Signals as requests: the step in hand is finished, a second one ends at once, one that is ignored stays ignored."""

import os
import signal
import time
from dataclasses import replace

import pytest
import torch

import crosscheck as cc
import run
from errors import Interrupted
from inference import load
from inference.drive import drive
from inference.interrupt import SIGNALS, Stopped, ended, finish_step_first, stopping
from inference.job import Plan
from inference.loading import rehearse
from models.grid import GridMRF
from runs.run import resumable

LAST = r"^gibbs stopped in step (\d+) of 99: it goes on from step (?!\1)\d+, the last that is saved$"


def raised(each) -> None:
    os.kill(os.getpid(), each)


@pytest.mark.parametrize("each", SIGNALS, ids=lambda s: s.name)
def test_the_step_is_finished_and_saved(each, tmp_path):
    model, path = cc.GridMRF.potts(cc.load_image("small")), tmp_path / "gibbs.checkpoint.npz"

    def on_step(step, said):
        if step == 3:
            raised(each)

    with pytest.raises(Interrupted, match="stopped after sweep 3 of 9") as stopped:
        drive(load.method("grid", "gibbs"), model, None, Plan(9), save_to=path, on_step=on_step)
    assert stopped.value.signum == each and path.exists()


@pytest.mark.parametrize("each", SIGNALS, ids=lambda s: s.name)
def test_a_second_one_ends_at_once_and_the_last_checkpoint_is_kept(each, tmp_path):
    model, path = cc.GridMRF.potts(cc.load_image("small")), tmp_path / "gibbs.checkpoint.npz"
    method = load.method("grid", "gibbs")

    def step(*given):
        if path.exists():
            for _ in range(2):
                raised(each)
        return method.step(*given)

    with pytest.raises(Stopped, match=LAST) as stopped:
        drive(replace(method, step=step), model, None, Plan(99), save_to=path, save_every=0.0)
    assert stopped.value.signum == each and path.exists() and not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("each", SIGNALS, ids=lambda s: s.name)
def test_a_step_that_does_not_end_is_ended_and_the_last_checkpoint_is_kept(each, tmp_path, monkeypatch):
    monkeypatch.setattr("inference.drive.PATIENCE", 0.05)
    model, path = cc.GridMRF.potts(cc.load_image("small")), tmp_path / "gibbs.checkpoint.npz"
    method = load.method("grid", "gibbs")

    def step(*given):
        if path.exists():
            raised(each)
            while True:
                pass
        return method.step(*given)

    with pytest.raises(Stopped, match=LAST) as stopped:
        drive(replace(method, step=step), model, None, Plan(99), save_to=path, save_every=0.0)
    assert stopped.value.signum == each and path.exists() and not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(("name", "words"), [
    ("gibbs", "gibbs stopped in step 1 of 9: nothing of it is saved, so it begins again"),
    ("strip", "strip stopped before it was done: nothing of it is saved, so it begins again")])
def test_what_the_first_step_loses_is_said_with_how_to_go_on(name, words, tmp_path, monkeypatch):
    monkeypatch.setattr("inference.drive.PATIENCE", 0.05)
    method, path = load.method("grid", name), tmp_path / "checkpoint.npz"

    def step(*given):
        raised(signal.SIGINT)
        while True:
            pass

    with pytest.raises(Interrupted) as stopped, resumable(tmp_path, ["--problem", "1"]):
        drive(replace(method, step=step), cc.GridMRF.potts(cc.load_image("small")), None, Plan(9), save_to=path)
    assert str(stopped.value) == f"{words}; go on with: python run.py --resume {tmp_path}" and not path.exists()


def test_a_step_that_ends_soon_is_finished_and_nothing_comes_later():
    with finish_step_first() as stop:
        with stop.within(0.05):
            raised(signal.SIGINT)
        time.sleep(0.1)
    assert stop.asked and signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_what_takes_more_processor_time_is_ended_until_it_heeds_it(monkeypatch):
    monkeypatch.setattr("inference.interrupt.PATIENCE", 0.02)
    heard = 0
    with pytest.raises(TimeoutError), ended(0.02, TimeoutError):
        while True:
            try:
                while True:
                    pass
            except TimeoutError:
                heard += 1
                if heard == 3:
                    raise
    assert signal.getitimer(signal.ITIMER_PROF) == (0, 0) and signal.getsignal(signal.SIGPROF) == signal.SIG_DFL


def test_handlers_are_given_back_and_what_is_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup has it
    try:
        held = signal.getsignal(signal.SIGTERM)
        with stopping(), finish_step_first() as stop:
            raised(signal.SIGHUP)
            assert not stop.asked
            raised(signal.SIGTERM)
            assert stop.asked and stop.signum == signal.SIGTERM
        assert signal.getsignal(signal.SIGTERM) == held and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(("each", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_the_exit_status_is_the_signals_wherever_it_comes(each, status, monkeypatch, capsys):
    monkeypatch.setattr(run, "main", lambda argv: raised(each))
    assert run.guarded([]) == status
    assert "stopped" in capsys.readouterr().err


class Callback:
    """What C calls and cannot fail: what is raised here is remarked upon, and lost."""

    def __del__(self):
        raised(signal.SIGINT)


def imports():
    """As a C extension does on a signal in the middle of it."""
    try:
        raised(signal.SIGINT)
    except KeyboardInterrupt as error:
        raise ImportError("numpy.core.multiarray failed to import") from error


def calls_back():
    Callback()
    for _ in range(500):  # the rest of the compilation
        time.sleep(0.01)


@pytest.mark.parametrize("work", [imports, calls_back])
@pytest.mark.parametrize("within", [stopping, finish_step_first])
def test_what_a_library_makes_of_ctrl_c_is_still_ctrl_c(work, within, capsys):
    with pytest.raises(Stopped) as stopped, within() as request:
        if request:
            raised(signal.SIGINT)  # the first one is heard after the step
        work()
    assert stopped.value.signum == signal.SIGINT and capsys.readouterr().err == ""
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_an_error_of_the_step_that_is_finished_first_is_said():
    with pytest.raises(ZeroDivisionError), finish_step_first():
        raised(signal.SIGINT)
        1 / 0  # noqa: B018


def test_a_rehearsal_does_not_swallow_ctrl_c():
    method, model = load.method("grid", "gibbs"), GridMRF.potts(torch.eye(2, dtype=torch.float64)[torch.eye(9).long()])

    def init(*_, **__):
        imports()

    with pytest.raises(Stopped):
        rehearse(replace(method, init=init, name="another"), model, {})
