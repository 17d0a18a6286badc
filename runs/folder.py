"""A run's own folder: created, never mixed with another run's files, held by one process at a time."""

from __future__ import annotations

import itertools
import json
import os
import platform
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import files
from errors import InputError
from inference.result import versions
from runs.records import Checkpoint, Entry
from runs.started import NAME as STARTED
from runs.started import Started

if os.name == "posix":
    import fcntl

SUMMARY = "summary.json"
PATIENCE = 1.0  # seconds: another process may be looking at whether the folder is empty


def create(out: Path | None, problem: str, argv: Sequence[str], cwd: Path | None = None,
           data: Mapping[str, Path] | None = None) -> Path:
    """An empty folder for this run, holding what it was started with. Whoever makes the folder has it; of several that
    were given an empty one, whoever holds it first.

    cwd, data    where the words were given, if not here; the files of data among them, by option
    Errors: InputError for a folder that is not empty.
    """
    if out is None:
        name = f"{'problem' if problem.isdigit() else ''}{problem}-{time.strftime('%Y%m%d-%H%M%S')}"
        free = (Path("results") / (f"{name}-{k}" if k else name) for k in itertools.count())
        out = next(path for path in free if _made(path))
    else:
        _made(out)
        refuse_taken(out)
    with held(out):
        refuse_taken(out)  # by somebody who held it meanwhile
        Started.now(problem, argv, cwd or Path.cwd(), data or {}).write(out)
    return out


def refuse_taken(out: Path) -> None:
    """Errors: InputError for what is there and is no empty folder."""
    if os.path.lexists(out) and not out.is_dir():  # a link to nowhere, too
        raise InputError(f"{out} is a file: give --out a new or empty directory")
    if out.exists() and any(out.iterdir()):
        raise InputError(f"{out} exists and is not an empty directory: give another --out, "
                         f"or --resume {out} to go on with the run in it")


@contextmanager
def withdrawn_on_error(out: Path) -> Iterator[None]:
    """Where the input turns out to be wrong, a folder that holds no more than what it was started with is not left."""
    try:
        yield
    except InputError:
        if [path.name for path in out.iterdir()] == [STARTED]:
            (out / STARTED).unlink()
            out.rmdir()
        raise


def _made(path: Path) -> bool:
    """Whether the folder is new; those above it may be there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir()
    except FileExistsError:
        return False
    return True


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """The folder for this process alone, rid of what a killed one was writing. Errors: InputError where another is at
    work in it, and where something in it leads out of it."""
    handle = os.open(folder, os.O_RDONLY) if os.name == "posix" else None
    try:
        if handle is not None:
            _lock(handle, folder)
        files.only_ordinary(folder)
        files.tidy(folder)
        yield
    finally:
        if handle is not None:
            os.close(handle)  # and with it goes the lock, as it does when the process is killed


def _lock(handle: int, folder: Path) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise InputError(f"another process is at work in {folder}: wait until it has ended, or stop it"
                                 ) from None
            time.sleep(0.01)
        except OSError:
            return None  # a file system without locks


def write_json(path: Path, value: object) -> None:
    with files.whole(path) as aside:
        aside.write_text(json.dumps(value, indent=2) + "\n")


def machine() -> dict[str, str | int | None]:
    """What the figures in seconds were measured on."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    except OSError:
        pass
    return {"processor": name, "cores": os.cpu_count(), "system": platform.system(),
            "python": platform.python_version()}


def write_summary(folder: Path, problem: str, argv: Sequence[str], seed: int, checkpoints: Sequence[Checkpoint],
                  entries: Sequence[Entry]) -> None:
    """`summary.json`: the same shape for every problem."""
    write_json(folder / SUMMARY, finite({
        "problem": int(problem) if problem.isdigit() else problem,
        "command": shlex.join(["python", "run.py", *argv]), "seed": seed,
        "versions": versions(), "machine": machine(),
        "checkpoints": [asdict(c) for c in checkpoints], "methods": [asdict(e) for e in entries],
    }))


def finite(value: object) -> object:
    """JSON has no nan and no infinity: null says it."""
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    if isinstance(value, float) and not (-float("inf") < value < float("inf")):
        return None
    return value
