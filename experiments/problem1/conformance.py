"""A folder of grids with their marginals by somebody else: the largest error of every method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape

from data import grid_files
from errors import InputError
from experiments.problem1.cases import Case
from experiments.problem1.request import Request
from experiments.problem1.study import GridEntry, Study
from inference.method import Family
from inference.result import Result
from runs.options import Fit
from runs.run import begun
from runs.runner import Runner, running
from runs.task import Task
from views import tables

UNASKED = (Family.EXACT, Family.VARIATIONAL)  # samplers take minutes on grids that say nothing of how they mix


@dataclass(frozen=True)
class Answered:
    """A grid, and its marginals (H, W, K) as the file beside it has them."""

    case: Case
    marginals: np.ndarray

    def entry(self, study: Study, k: int) -> GridEntry:
        """A result's line, with its errors against the file."""
        error = np.abs(study.results[k].expected["labels"] - self.marginals)
        return replace(GridEntry.on(study, study.results[k]), max_error=float(error.max()),
                       mean_error=float(error.mean()))


def answered(folder: Path) -> tuple[list[Answered], dict[str, str]]:
    """The grids below a folder that have a `.MAR` beside them, with their `.evid` if there is one; and why others were
    left out. Errors: InputError where there is none at all."""
    found: list[Answered] = []
    left_out: dict[str, str] = {}
    for path in sorted(p for p in folder.rglob("*") if grid_files.is_grid(p) and beside(p, ".MAR").is_file()):
        try:
            found.append(_read(path, folder))
        except InputError as error:
            left_out[str(path.relative_to(folder))] = str(error)
    if not found:
        why = "; ".join(left_out.values()) or "a grid.uai with its grid.uai.MAR is one"
        raise InputError(f"--conformance {folder} holds no grid with marginals beside it: {why}")
    return found, left_out


def beside(path: Path, ending: str) -> Path:
    """The file that goes with a grid."""
    return path.with_name(path.name.removesuffix(".gz") + ending)


def _read(path: Path, folder: Path) -> Answered:
    model = grid_files.read_grid(path)
    if beside(path, ".evid").is_file():
        model = model.clamped(grid_files.read_evidence(beside(path, ".evid"), model))
    marginals = np.asarray(grid_files.read_marginals(beside(path, ".MAR")))
    H, W, K = model.pixels
    if marginals.shape != (H * W, K):
        raise InputError(f"{beside(path, '.MAR')} has {' x '.join(map(str, marginals.shape))} probabilities, the grid "
                         f"{H * W} x {K}")
    name = str(path.relative_to(folder).with_name(grid_files.stem(path)))
    return Answered(Case(name, model, None, None, Path(name)), marginals.reshape(H, W, K))


def run(request: Request, folder: Path, console: Console) -> int:
    """Run every method on every grid, and print the largest error of each. Exit status 0."""
    grids, left_out = answered(folder)
    fits = [fit for fit in request.chosen() if request.method or fit.method.family in UNASKED]
    one_by_one = replace(request, method=())  # a grid that a method refuses costs no other its answer
    tried = [(grid, *grid.case.tasks(fits, one_by_one)) for grid in grids]
    if not any(tasks for _, tasks, _ in tried):
        raise none_of(tried)
    count = f"{len(grids)} grid{'s' * (len(grids) != 1)}"
    with begun(request, console) as this:
        console.print(f"[bold]Problem 1[/]: {escape(f'{count} of {folder} -> {this.folder}')}")
        entries: list[GridEntry] = []
        with running(this.folder, console) as runner:
            for grid, tasks, refused in tried:
                study = Study(grid.case, results(runner, tasks, refused), refused)
                entries += [grid.entry(study, k) for k in range(len(study.results))]
        if not entries:
            raise none_of(tried)
        tables.show(console, f"errors of marginals, against the files of {count}",
                    ("method", "by", "grids", "largest error", "on", "mean error", "seconds"), rows(entries, fits))
        for grid, _, refused in tried:
            this.say(*(f"{grid.case.name}: {name} was left out: {why}" for name, why in refused.items()))
        this.say(*(f"{name} was left out: {why}" for name, why in left_out.items()))
        return this.conclude([], entries)


def none_of(tried: Sequence[tuple[Answered, list[Task], dict[str, str]]]) -> InputError:
    """Where no method answers on any grid: why the first does not on the first."""
    grid, _, refused = tried[0]
    return InputError(f"no method could answer on any grid; {grid.case.name}: {next(iter(refused.values()))}")


def results(runner: Runner, tasks: Sequence[Task], refused: dict[str, str]) -> list[Result]:
    """Of the tasks that come to an end; why another does not is added to `refused`."""
    found = []
    for task in tasks:
        try:
            found.append(runner(task))
        except InputError as error:
            refused[task.method.name] = str(error)
    return found


def rows(entries: Sequence[GridEntry], fits: Sequence[Fit]) -> list[tuple[object, ...]]:
    """A line a method: on how many grids it ran, its largest error and on which, its mean error."""
    found: list[tuple[float, tuple[object, ...]]] = []
    for name in dict.fromkeys(fit.method.name for fit in fits):
        own = [e for e in entries if e.name == name and e.max_error is not None]
        if own:
            worst = max(own, key=lambda e: e.max_error or 0.0)
            found.append((worst.max_error or 0.0, (name, worst.by, len(own), worst.max_error, worst.image,
                          float(np.mean([e.mean_error for e in own if e.mean_error is not None])),
                          sum(e.seconds for e in own))))
    return [row for _, row in sorted(found, key=lambda pair: pair[0])]
