"""Run several methods one after another with a progress bar, each saved, each able to go on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from checks.contract.preflight import at_size, preflight
from errors import InputError
from inference.drive import drive
from inference.job import Observer, Plan, generator
from inference.method import Family, Latents, Method
from inference.options import option
from inference.result import Result

CHECKPOINT = ".checkpoint.npz"


@dataclass(frozen=True)
class Task:
    """One method on one model."""

    method: Method
    model: Any
    data: Any
    plan: Plan
    options: Mapping[str, Any] = field(default_factory=dict)
    folder: Path = Path()  # below the run's own
    label: str = ""
    observer: Observer | None = None
    record: Callable[[Latents], Latents] = lambda latents: latents  # what to keep of a draw


@dataclass
class Runner:
    """Runs tasks into `folder`; a task whose result is there is loaded, one that was stopped goes on."""

    folder: Path
    console: Console
    progress: Progress

    def __call__(self, task: Task) -> Result:
        folder = self.folder / task.folder
        path = folder / f"{task.method.name}.nc"
        if path.exists():
            return Result.load(path)
        bar = self.progress.add_task(f"{task.label} {task.method.name}".strip(), note="",
                                     total=1 if task.method.family is Family.EXACT else task.plan.steps)
        checkpoint = folder / f"{task.method.name}{CHECKPOINT}"
        result = drive(task.method, task.model, task.data, task.plan, task.options, save_to=checkpoint,
                       record=task.record, observer=task.observer,
                       on_step=lambda step, said: self._show(bar, step, said))
        self.progress.update(bar, total=result.steps, completed=result.steps)
        result.save(folder)
        checkpoint.unlink(missing_ok=True)
        return result

    def _show(self, bar: TaskID, step: int, said: Mapping[str, float]) -> None:
        known = next(((k, said[k]) for k in ("elbo", "residual", "log_evidence") if k in said), None)
        self.progress.update(bar, completed=step, note=f"{known[0]} {known[1]:.6g}" if known else "")


@contextmanager
def running(folder: Path, console: Console) -> Iterator[Runner]:
    """A runner, and its progress bars while it works (one bar a method; none where nobody watches)."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
               TextColumn("{task.fields[note]}"))
    with Progress(*columns, console=console, disable=not sys.stdout.isatty()) as progress:
        yield Runner(folder, console, progress)


def trial(method: Method, model: Any, data: Any, options: Mapping[str, Any], seed: int) -> None:
    """What cannot run is said before anything is written. Errors: InputError of the method, or of its pre-flight."""
    preflight(method, options, model)
    rng = generator(seed, "trial", getattr(model, "device", "cpu"))
    state = method.init(rng, model, data, **options)
    at_size(method, state, model)
    if method.preflight:
        method.preflight(rng, state, model, data)


SET = "an option of the methods, for every one chosen that has it (--list NAME shows them); repeatable"


def settings(words: Sequence[str]) -> dict[str, str]:
    """What `--set name=value` asks for. Errors: InputError for words that are not of this form."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name in found:
            raise InputError(f"--set takes OPTION=VALUE, once for each option, not '{word}'"
                             + (" again" if equals else ""))
        found[name] = value
    return found


def choose_options(methods: list[Method], given: Mapping[str, Any], flag: str = "--") -> dict[str, dict[str, Any]]:
    """For every method, those of the given options that it has; an option that no method takes is an error.

    A value that one method does not know is left out for it as long as another knows it
    (`--schedule residual` is for loopy_bp, and mean_field keeps its own).
    """
    chosen: dict[str, dict[str, Any]] = {method.name: {} for method in methods}
    for name, value in given.items():
        if value is None:
            continue
        takers, refusal = [m for m in methods if name in m.options], None
        taken = 0
        for method in takers:
            try:
                chosen[method.name][name] = option(method, name, value)
                taken += 1
            except InputError as error:
                refusal = error
        if refusal and not taken:
            raise refusal
        if not takers:
            word = name if " " in flag else name.replace("_", "-")
            known = ", ".join(sorted({option for m in methods for option in m.options})) or "none"
            raise InputError(f"{flag}{word} is of no use to {', '.join(m.name for m in methods)}: "
                             f"the options there are {known}")
    return chosen


def device(name: str) -> torch.device:
    """The device of that name, if there is one here."""
    try:
        found = torch.device(name)
    except RuntimeError:
        raise InputError(f"--device must be cpu or cuda, not '{name}'") from None
    if found.type not in ("cpu", "cuda"):
        raise InputError(f"--device must be cpu or cuda, not '{name}'")
    if found.type == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: no CUDA device is available here; leave --device out to run on the CPU")
    return found
