"""`python run.py --problem 2 --sweep method=a,b rank=1-10 seed=0-4`: every combination as a run, then compared."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from comparison import saved
from comparison.compare import compare
from errors import InputError
from inference.interrupt import finish_step_first
from runs import cells, folder
from runs.cells import Cell
from runs.cluster import Cluster
from runs.processes import Outcome, run_all
from runs.run import check, resumable
from runs.started import go_on
from views import tables

SHOWN = 3  # names of cells, running or failed


def run(parser: argparse.ArgumentParser, problem: ModuleType, args: argparse.Namespace, argv: Sequence[str],
        resume: Path | None, cwd: Path | None) -> int:
    """Exit status 0 if every cell was finished, 1 if one failed, 130 after Ctrl-C.

    Errors: InputError, before anything runs, for words that no run can have, and where what a run was started with has
    changed.
    """
    began, jobs = time.monotonic(), (os.cpu_count() or 1) if args.jobs is None else args.jobs
    if jobs < 1:
        raise InputError(f"--jobs must be at least 1, not {jobs}")
    if args.cluster and args.jobs is not None:
        raise InputError("--jobs is how many runs go at a time here, and a cluster's workers say that themselves: "
                         "leave it out beside --cluster")
    argv = without_cluster(argv)  # a folder does not say whom to hand work to: who goes on names it again
    base = without(argv)
    values = cells.swept(args.sweep, parser)
    given = {o for o in (w.partition("=")[0] for w in base) if o.removeprefix("--") in values and o != "--set"}
    if given:
        raise InputError(f"{', '.join(sorted(given))} is both swept and given: leave one of the two out")

    def made(out: Path) -> list[Cell]:
        return cells.cells(values, base, out, parser, problem.Request, cwd)

    trials = [cell.request for cell in made(Path("trial"))]  # what is malformed is said before a folder is made
    for trial in trials:
        trial.chosen()
    problem.Request.refuse_idle(trials)
    pinned = "seed" in values and "data-seed" not in values and args.data_seed is None
    base += ["--data-seed=0"] * pinned
    out = resume or folder.create(args.out, "sweep", argv)
    with folder.held(out), resumable(out, argv):
        todo = made(out)
        for cell in todo:
            check(cell.request)
        folder.write_json(out / saved.SWEEP, {"problem": args.problem, "swept": values,
                                              "cells": {c.name: dict(c.settings) for c in todo}})
        console = tables.console()
        left = [c for c in todo if not c.finished]
        cluster = Cluster(args.cluster) if args.cluster and left else None
        jobs = cluster.workers if cluster else jobs
        console.print(f"[bold]Sweep[/]: {len(todo)} runs of Problem {args.problem}"
                      + (f", {len(todo) - len(left)} of them finished before" if len(left) < len(todo) else "")
                      + f", {min(jobs, max(len(left), 1))} at a time -> {escape(str(out))}"
                      + ("; the data are those of --data-seed 0 in all of them" if pinned else ""), soft_wrap=True)
        if cluster and not jobs:
            console.print("no worker is there yet: the runs begin when the first comes", soft_wrap=True)
        again = go_on(out, argv) + (f" --cluster {shlex.quote(args.cluster)}" if args.cluster else "")
        outcomes, signum = _run(console, left, problem.__name__, jobs, cluster)
        if signum:
            done = sum(c.finished for c in todo)
            console.print(f"\nstopped with {done} of {len(todo)} runs finished; go on with: {again}",
                          soft_wrap=True, highlight=False, markup=False)
            return 128 + signum
        return _conclude(console, out, todo, outcomes, argv, again, began)


def _conclude(console: Console, out: Path, todo: Sequence[Cell], outcomes: Sequence[Outcome],
              argv: Sequence[str], again: str, began: float) -> int:
    """The comparison, and what failed, which `again` tries once more; the exit status."""
    failed = [o for o in outcomes if o.code or not o.cell.finished]
    if len(failed) < len(todo):
        found = compare([out])
        found.show(console)
        found.save(out, shlex.join(["python", "run.py", *argv]), began)
    for said in dict.fromkeys(o.said for o in failed):
        names = [o.cell.name for o in failed if o.said == said]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        told = escape(f"{'; '.join(names[:SHOWN])}{more}: {said}")
        console.print(f"[bold red]failed[/]: {told}", soft_wrap=True, highlight=False)
    console.print(f"{len(todo) - len(failed)} of {len(todo)} runs finished"
                  + (f"; `python run.py compare {out}` shows them again" if len(failed) < len(todo) else "")
                  + (f"; `{again}` tries the others again" if failed else ""), soft_wrap=True, markup=False)
    return 1 if failed else 0


def without(argv: Sequence[str]) -> list[str]:
    """The arguments but for the sweep's own."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--sweep", nargs="+")
    for name in ("--jobs", "--out", "--resume"):
        parser.add_argument(name)
    return parser.parse_known_args(list(argv))[1]


def without_cluster(argv: Sequence[str]) -> list[str]:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--cluster")
    return parser.parse_known_args(list(argv))[1]


def _run(console: Console, left: Sequence[Cell], module: str, jobs: int, cluster: Cluster | None
         ) -> tuple[list[Outcome], int]:
    """Outcomes of these cells, with a bar for all of them, or a line each where nobody watches; and the signal that
    stopped them, or 0."""
    watched = sys.stdout.isatty()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
               TimeRemainingColumn(), TextColumn("{task.fields[note]}", markup=False))
    outcomes = []
    with finish_step_first() as stop, Progress(*columns, console=console, disable=not watched) as progress:
        bar = progress.add_task("runs", total=len(left), note="")

        def on_change(running: Sequence[Cell]) -> None:
            more = f" and {len(running) - SHOWN} more" if len(running) > SHOWN else ""
            progress.update(bar, note="; ".join(c.name for c in running[:SHOWN]) + more)

        ran = (cluster.run_all(left, module, stop, on_change) if cluster else
               run_all(left, module, jobs, stop, on_change))
        for outcome in ran:
            outcomes.append(outcome)
            progress.advance(bar)
            if not watched and not stop.asked:
                console.print(f"{len(outcomes)} of {len(left)}: {outcome.cell.name}, {outcome.seconds:.1f} s"
                              + (", failed" if outcome.code else ""), soft_wrap=True, highlight=False, markup=False)
        return outcomes, 0 if all(c.finished for c in left) else stop.signum
