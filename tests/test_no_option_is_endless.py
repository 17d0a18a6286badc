"""No number keeps a run from ending: it is refused in a sentence, or Ctrl-C ends the run within 2 seconds."""

import os
import select
import signal
import time
from dataclasses import fields
from types import UnionType
from typing import get_args, get_type_hints

import pytest
import torch

import run
from checks.door import check
from checks.verdict import Outcome
from errors import InputError, Interrupted
from experiments.program.request import Request as OfProgram
from inference import load
from inference.drive import drive
from inference.job import Plan
from inference.loading import rehearse
from inference.method import Family
from inference.options import typed
from models.factorization import Factorization
from models.grid import GridMRF
from models.ratings import Ratings
from runs.request import flag
from runs.task import Task, trial
from tests.support.programs import NORMAL, SWITCH, program
from tests.test_no_option_is_ignored import BASE, requests

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.filterwarnings("ignore")]
ABSURD = {int: ("1000000000000", "9" * 60), float: ("1e12", "1e-300", "1e300", "inf")}
UNHEARD = 3.0  # seconds: 2, and what a machine with other work needs besides


def number(annotation) -> type | None:
    kinds = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    return next((kind for kind in kinds if kind in ABSURD), None)


def values(annotation):
    """The first alone where one is enough to tell; all of them, and those of numbers that count nothing, are slow."""
    kind = number(annotation)
    for k, value in enumerate(ABSURD[kind] if kind else ()):
        yield pytest.param(value, marks=[] if kind is int and not k else pytest.mark.slow, id=value[:4])


OPTIONS = [pytest.param(kind, name, option, *value.values, marks=value.marks, id=f"{name}-{option}-{value.id}")
           for kind in load.kinds() for name in load.names(kind)
           for option, parameter in load.method(kind, name).options.items() for value in values(parameter.annotation)]
ASKED = [pytest.param(problem, f.name, *value.values, marks=pytest.mark.slow, id=f"{problem}-{f.name}-{value.id}")
         for problem, made in (requests() | {"mine.py": OfProgram}).items() for f in fields(made) if f.metadata
         for value in values(get_type_hints(made)[f.name])]


def problem_of(method, kind, folder):
    if kind == "program":
        switches = method.name in ("enumeration", "composite_gibbs_pyro")
        model = program(folder, SWITCH if switches else NORMAL)
        return model, model.data
    if kind == "grid":
        return GridMRF.potts(torch.eye(2, dtype=torch.float64)[torch.eye(3).long()], 1.0, (0.5, 0.1)), None
    pair = torch.randperm(24, generator=torch.Generator().manual_seed(0))[:12]
    return Factorization(6, 4, 2), Ratings(pair // 4, pair % 4, (pair % 5 + 1).double(), 6, 4)


def ends(work, heard_after: float) -> str:
    """How `work` ended in a process of its own, which hears Ctrl-C after so many seconds: "done", a sentence, or
    "stopped"."""
    hear, tell = os.pipe()
    child = os.fork()
    if not child:
        said = "a fault"
        try:
            said = str(work() or "done")
        except InputError as error:
            said = str(error) or "nothing said"
        except (Interrupted, KeyboardInterrupt):
            said = "stopped"
        except BaseException as error:
            said = f"a fault: {error!r}"
        finally:
            os.write(tell, said.encode()[:4000])
            os._exit(0)
    os.close(tell)
    try:
        if not select.select([hear], [], [], heard_after)[0]:
            os.kill(child, signal.SIGINT)
        assert select.select([hear], [], [], UNHEARD)[0], "Ctrl-C does not end it"
        return os.read(hear, 4000).decode()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(hear)


@pytest.mark.parametrize(("kind", "name", "option", "value"), OPTIONS)
def test_an_option_of_a_method_ends(kind, name, option, value, tmp_path, monkeypatch):
    monkeypatch.setattr("inference.drive.PATIENCE", 0.2)
    method = load.method(kind, name)
    model, data = problem_of(method, kind, tmp_path)
    rehearse(method, model, {})
    plan = Plan(2, 2, 1) if method.family is Family.MCMC else Plan(2)

    def work() -> None:
        options = typed(method, {option: value})
        trial(Task(method, model, data, plan, options))
        drive(method, model, data, plan, options)

    said = ends(work, 0.5)
    assert said in ("done", "stopped") or (len(said) <= 300 and not said.startswith("a fault")), said


@pytest.mark.parametrize(("problem", "name", "value"), ASKED)
def test_an_option_of_a_run_ends(problem, name, value, tmp_path):
    (tmp_path / "mine.py").write_text(NORMAL)
    base = [*BASE.get(problem, ("--bare", "--method", "laplace"))]
    if (flagged := flag(name)) in base:
        del base[(at := base.index(flagged)):at + 2]
    words = ["--problem", problem if problem in BASE else str(tmp_path / problem), *base, f"{flagged}={value}"]
    said = ends(lambda: run.guarded([*words, "--out", str(tmp_path / "out")]), 8.0)
    assert said in ("done", "2", "130")


@pytest.mark.parametrize(("name", "options"), [("random_walk", {"moves": 10**12}), pytest.param(
    "hmc_within_gibbs", {"leaps": 10**12}, marks=pytest.mark.slow), pytest.param(
    "annealed_importance_sampling", {"temperatures": 10**12}, marks=pytest.mark.slow)])
def test_the_budget_of_a_check_ends_a_step_that_does_not(name, options, monkeypatch):
    monkeypatch.setattr("checks.budget.PATIENCE", 0.1)
    began = time.process_time()
    assert check(name, options=options, budget=0.5).outcome is Outcome.UNKNOWN
    assert time.process_time() - began < 60
