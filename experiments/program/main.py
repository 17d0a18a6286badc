"""A Pyro program of the user's own: every inference there is on it, judged against the others and exact answers."""

from __future__ import annotations

from types import ModuleType

from errors import InputError
from experiments.program import defaults, report, words
from experiments.program.request import Request
from experiments.program.study import Study
from inference.method import Method
from inference.result import Result
from models.program import Program
from runs.options import Fit
from runs.run import Run, begun
from runs.runner import Runner, running
from runs.task import Task, trial
from views import tables

__all__ = ["Request", "run"]


def run(request: Request) -> int:
    """Exit status 0. Errors: InputError, before anything is written, and where no method ran."""
    console, program = tables.console(), request.program
    program.check_data(program.data)
    tasks, refused = able(request, request.chosen())
    with begun(request, console) as this:
        chosen = defaults.said(program, [task.method for task in tasks], request.asked)
        this.say(*report.about(program, str(this.folder)), *chosen, *refused)
        with running(this.folder, console) as runner:
            results = [result for task in tasks if (result := ran(this, runner, program, task, request.asked))]
        if not results:
            raise InputError("none of the methods ran to its end: what each says is above")
        if request.bare:
            return this.bare(results, [report.bare(result, program) for result in results])
        study = Study(request, program, results)
        with this.busy("tables and figures"):
            entries = report.show(this, study)
        return this.conclude([], entries, words.take_away(study))


def able(request: Request, fits: list[Fit]) -> tuple[list[Task], list[str]]:
    """The tasks, and what is said of default methods that this program is not for. Errors: InputError for a method
    that was asked for."""
    tasks, refused = [], []
    for fit in fits:
        task = Task(fit.method, request.program, request.program.data, request.plan(fit.method), fit.options)
        try:
            with request.program.blaming(theirs(fit.method)):
                trial(task)
        except InputError as error:
            if request.asked or fit.method.by == "user":
                raise
            refused.append(f"Left out: {named(fit.method, error)}")
            continue
        tasks.append(task)
    return tasks, refused


def ran(this: Run, runner: Runner, program: Program, task: Task, asked: bool) -> Result | None:
    """Its result; None, and a sentence, where a default method fails on the way."""
    try:
        with program.blaming(theirs(task.method)):
            return runner(task)
    except InputError as error:
        if asked:
            raise
        this.say(f"Left out: {named(task.method, error)}")
        return None


def theirs(method: Method) -> ModuleType | None:
    """The module of a method of the user's."""
    return method.module if method.by == "user" else None


def named(method: Method, error: InputError) -> str:
    return str(error) if str(error).startswith(method.name) else f"{method.name}: {error}"
