"""The cells of a sweep: from words like `rank=1-10` to runs, and those runs in parallel processes."""

from __future__ import annotations

import argparse
import importlib
import itertools
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from errors import InputError, unknown
from inference.interrupt import Request
from runs import folder

FIXED = ("help", "problem", "out", "resume", "check", "list", "sweep", "jobs", "export", "bare", "recommend", "top")
YES, NO = ("yes", "true"), ("no", "false")
PRELOADED = {"1": ("arviz", "h5netcdf"), "2": ("arviz", "h5netcdf", "pyro.infer"), "3": ("arviz", "h5netcdf")}  # slow
PAUSE = 0.2  # seconds between two looks at whether Ctrl-C was pressed


@dataclass(frozen=True)
class Cell:
    """One run of a sweep."""

    name: str
    settings: Mapping[str, str]
    argv: Sequence[str]
    args: argparse.Namespace

    @property
    def place(self) -> Path:
        return Path(self.args.out)

    @property
    def finished(self) -> bool:
        return (self.place / folder.SUMMARY).exists()

    @property
    def resumed(self) -> Path | None:
        """Its own folder where it was begun."""
        return self.place if (self.place / folder.ARGUMENTS).exists() else None


@dataclass(frozen=True)
class Outcome:
    cell: Cell
    code: int
    said: str  # why it failed, in a sentence
    seconds: float


def swept(words: Sequence[str], parser: argparse.ArgumentParser) -> dict[str, list[str]]:
    """Words like `rank=1-10`, `beta=0.1,0.2` -> the values of each option.

    Values are separated by commas, or by semicolons where one of them holds a comma; a range is of whole numbers.
    Errors: InputError for an option that the problem does not have, and for values that it cannot have.
    """
    options = {o.removeprefix("--"): a for a in parser._actions for o in a.option_strings
               if o.startswith("--") and a.dest not in FIXED}
    found: dict[str, list[str]] = {}
    for word in words:
        name, equals, text = word.partition("=")
        name = name.removeprefix("--").replace("_", "-")
        if not equals or not text:
            raise InputError(f"--sweep takes OPTION=VALUES, like rank=1-10 or seed=0-4, not '{word}'")
        if name not in options:
            raise unknown("option to sweep", name, options)
        if name in found:
            raise InputError(f"--sweep: {name} is given twice; put all its values into one {name}=...")
        found[name] = _values(word, text, options[name])
    return found


def _values(word: str, text: str, option: argparse.Action) -> list[str]:
    values: list[str] = []
    for part in text.split(";" if ";" in text else ","):
        part = part.strip()
        low, dash, high = part.partition("-")
        if option.type is int and low.isdigit() and high.isdigit():
            if int(low) > int(high):
                raise InputError(f"--sweep {word}: the range {part} is empty; put the smaller number first")
            values += map(str, range(int(low), int(high) + 1))
        elif part or ";" not in text:
            values.append(part)
    for value in values:
        _check(word, value, option)
    if len(set(values)) < len(values):
        raise InputError(f"--sweep {word}: {next(v for v in values if values.count(v) > 1)} is there twice")
    return values


def _check(word: str, value: str, option: argparse.Action) -> None:
    """That the option can have this value."""
    if option.nargs == 0:
        if value.lower() not in YES + NO:
            raise InputError(f"--sweep {word}: '{value}' must be yes or no")
        return
    try:
        usable = bool(value) and (not callable(option.type) or option.type(value) is not None)
    except (ValueError, argparse.ArgumentTypeError):
        usable = False
    if not usable or (option.choices is not None and value not in option.choices):
        kind = {int: "whole numbers, like 1,2 or 1-10", float: "numbers, like 0.1,0.2"}.get(
            option.type, "values, like a,b")  # type: ignore[call-overload]
        raise InputError(f"--sweep {word}: '{value}' cannot be a value of {option.option_strings[-1]}; give {kind}")


def cells(values: Mapping[str, Sequence[str]], base: Sequence[str], out: Path, parser: argparse.ArgumentParser
          ) -> list[Cell]:
    """Every combination of the values, the last option varying fastest, as arguments of an ordinary run."""
    options = {o.removeprefix("--"): a for a in parser._actions for o in a.option_strings}
    found: list[Cell] = []
    for combination in itertools.product(*values.values()):
        settings = dict(zip(values, combination, strict=True))
        name = ",".join(f"{n}={Path(v).stem if v.endswith('.py') else v}" for n, v in settings.items())
        name = "".join(c if c.isalnum() or c in "=,.-_+" else "_" for c in name)[:200]
        if any(c.name == name for c in found):
            name += f"-{len(found)}"
        words = [w for n, v in settings.items()
                 for w in ([f"--{n}={v}"] if options[n].nargs != 0 else [f"--{n}"] * (v.lower() in YES))]
        argv = [*base, *words, "--bare", f"--out={out / name}"]
        found.append(Cell(name, settings, argv, parser.parse_args(argv)))
    return found


def run_all(todo: Sequence[Cell], problem: str, jobs: int, stop: Request, on_change: Callable[[Sequence[Cell]], None]
            ) -> Iterator[Outcome]:
    """Every cell in a process of its own, `jobs` at a time; stops to begin new ones when `stop` is asked for.

    The processes are forked from one that has imported everything and computed nothing. They stop at Ctrl-C after
    the step in hand, and what they have reached is saved in their folders.
    """
    forked = hasattr(os, "fork")
    context: Any = multiprocessing.get_context("forkserver" if forked else "spawn")
    if forked:
        context.set_forkserver_preload([f"experiments.problem{problem}.main", *PRELOADED[problem]])
    threads = max(1, (os.cpu_count() or 1) // jobs)
    waiting, running, told = list(todo), dict[Any, tuple[Cell, Any, Connection, float]](), False
    try:
        while running or (waiting and not stop.asked):
            while waiting and len(running) < jobs and not stop.asked:
                cell = waiting.pop(0)
                ours, theirs = context.Pipe(duplex=False)
                process = context.Process(target=_run, args=(problem, cell, threads, theirs), daemon=True)
                process.start()
                theirs.close()
                running[process.sentinel] = cell, process, ours, time.monotonic()
                on_change([c for c, *_ in running.values()])
            if stop.asked and not told:
                told = True
                for _, process, *_ in running.values():
                    os.kill(process.pid, signal.SIGINT)
            for sentinel in wait(list(running), timeout=PAUSE):
                cell, process, ours, started = running.pop(sentinel)
                yield _outcome(cell, process, ours, time.monotonic() - started)
                on_change([c for c, *_ in running.values()])
    finally:
        for _, process, *_ in running.values():
            process.terminate()


def _outcome(cell: Cell, process: Any, pipe: Connection, seconds: float) -> Outcome:
    process.join()
    try:
        code, said = pipe.recv()
    except EOFError:  # it died without a word
        code, said = 1, f"the process ended by itself (exit status {process.exitcode}); out of memory, perhaps"
    pipe.close()
    return Outcome(cell, code, said, seconds)


def log_of(cell: Cell) -> Path:
    """What the run would have said on the terminal; in its folder where it came to have one."""
    return cell.place.parent / "logs" / f"{cell.name}.txt"


def _run(problem: str, cell: Cell, threads: int, pipe: Connection) -> None:
    """In the process of the cell: an ordinary run, its words in a file, its end through the pipe."""
    if hasattr(os, "setsid"):
        os.setsid()  # Ctrl-C comes from the sweep, once, and not from the terminal as well
    import numba
    import torch

    torch.set_num_threads(threads)
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    log = log_of(cell)
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            code = importlib.import_module(f"experiments.problem{problem}.main").run(cell.args, cell.argv, cell.resumed)
            said = "" if code == 0 else f"exit status {code} (see {log})"
        except InputError as error:
            code, said = 2, str(error)
        except KeyboardInterrupt:
            code, said = 130, "stopped"
        except Exception as error:
            traceback.print_exc()
            code, said = 1, f"{type(error).__name__}: {error} (see {log})"
        print(said, flush=True)
        sys.stdout.flush()
    pipe.send((code, said))
