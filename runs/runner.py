"""Run several methods one after another with a progress bar, each saved, each able to go on."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from inference import identity
from inference.drive import drive
from inference.method import Family
from inference.result import SAID, Result
from ranks import group
from runs.busy import Pulse
from runs.task import Task

CHECKPOINT = ".checkpoint.npz"
LONG = 1.0  # seconds of steps, from which on the chain at work is shown


@dataclass
class Runner:
    """Runs tasks into `folder`; a task whose result is there is loaded, one that was stopped goes on."""

    folder: Path
    console: Console
    progress: Progress
    loading: float = 0.0  # seconds, of all tasks
    saves: list[float] = field(default_factory=list)  # seconds that each save on the way took

    def __call__(self, task: Task) -> Result:
        folder = self.folder / task.folder
        path, checkpoint = folder / f"{task.method.name}.nc", folder / f"{task.method.name}{CHECKPOINT}"
        if group.first(lambda: self._made(folder, path)):
            if group.rank():
                return Result.of_another_rank(task.method.name)
            result = self._finished(path, task)
            checkpoint.unlink(missing_ok=True)
            return result
        bar = self.progress.add_task(f"{task.label} {task.method.name}".strip(), note="",
                                     total=1 if task.method.family is Family.EXACT else task.plan.steps)
        pulse = Pulse()
        with pulse.beating():
            result = drive(task.method, task.model, task.data, task.plan, task.options, save_to=checkpoint,
                           record=task.record, observer=task.observer, keeper=task.keeper, over=group.size(),
                           on_step=lambda step, said: self._show(bar, pulse, step, said), on_save=self.saves.append,
                           on_chain=self._moves(bar, pulse, task.plan.chains))
        if group.rank():
            return result
        self.progress.update(bar, total=result.steps, completed=result.steps)
        self.loading += result.loading
        _there(folder)
        result.save(folder)
        checkpoint.unlink(missing_ok=True)
        return result

    def _made(self, folder: Path, path: Path) -> bool:
        """The folder, and whether the result is there."""
        _there(self.folder)
        folder.mkdir(parents=True, exist_ok=True)
        return path.exists()

    def _finished(self, path: Path, task: Task) -> Result:
        """The result that is there. Errors: InputError where it is of something else."""
        result = Result.load(path)
        identity.check(str(path), result.facts.get("identity"), task.identity, "delete it to make it again")
        result.mend(path.parent)
        return result

    def _show(self, bar: TaskID, pulse: Pulse, step: int, said: Mapping[str, float]) -> None:
        if group.rank():
            return
        known = next(((k, said[k]) for k in ("elbo", "residual", "log_evidence") if k in said), None)
        self.progress.update(bar, completed=step, note=f"{known[0]} {known[1]:.6g}" if known else "")
        doing = self.progress.tasks[bar]
        pulse(f"{doing.description}: {step:,} of {doing.total:,.0f}")

    def _moves(self, bar: TaskID, pulse: Pulse, chains: int) -> Callable[[int], None]:
        """What shows which chain is at work, where steps are long."""
        shown = time.monotonic()

        def show(chain: int) -> None:
            nonlocal shown
            now = time.monotonic()  # asked at every step of every chain
            if (now - shown >= LONG or not pulse.doing) and not group.rank():
                doing = self.progress.tasks[bar]
                shown, chain_of = now, f"chain {chain + 1} of {chains}" if chains > 1 else ""
                self.progress.update(bar, note=chain_of)
                step = f"{doing.completed:,.0f} of {doing.total:,.0f}" if doing.completed else "sets out"
                pulse(", ".join(filter(None, (f"{doing.description}: {step}", chain_of))))

        return show


def _there(folder: Path) -> None:
    """A folder that has vanished is not made again in silence. Errors: FileNotFoundError."""
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))


@contextmanager
def running(folder: Path, console: Console) -> Iterator[Runner]:
    """A runner, and its progress bars while it works (one bar a method; none where nobody watches)."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
               TextColumn("{task.fields[note]}", markup=False))
    with Progress(*columns, console=console, disable=not sys.stdout.isatty() or group.rank() > 0) as progress:
        runner = Runner(folder, console, progress)
        yield runner
    if runner.loading >= SAID:
        console.print(f"Loading, and compiling what was new, took {runner.loading:.2g} s, which no seconds below hold.",
                      soft_wrap=True, highlight=False)
    if runner.saves:
        console.print(saved(runner.saves), soft_wrap=True, highlight=False)


def saved(saves: Sequence[float]) -> str:
    """How often it was, and the seconds that it took."""
    return f"Saved {len(saves)} time{'s' * (len(saves) > 1)} on the way, in {sum(saves):.2g} s in all."
