"""A run's own folder: created, never mixed with another run's files, and enough to go on from."""

from __future__ import annotations

import itertools
import json
import os
import platform
import shlex
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from errors import InputError
from inference.checkpoint import whole
from inference.result import versions
from runs.records import Checkpoint, Entry

ARGUMENTS, SUMMARY = "run.json", "summary.json"


def create(out: Path | None, problem: str, argv: Sequence[str]) -> Path:
    """An empty folder for this run, holding the arguments that `--resume` reads."""
    if out is None:
        name = f"{'problem' if problem.isdigit() else ''}{problem}-{time.strftime('%Y%m%d-%H%M%S')}"
        free = (Path("results") / (f"{name}-{k}" if k else name) for k in itertools.count())
        out = next(path for path in free if not path.exists())
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} exists and is not an empty directory: give another --out, "
                         f"or --resume {out} to go on with the run in it")
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / ARGUMENTS, {"problem": problem, "argv": list(argv)})
    return out


def stored_arguments(folder: Path) -> list[str]:
    """The arguments of the run in `folder`."""
    try:
        argv = json.loads((folder / ARGUMENTS).read_text())["argv"]
    except FileNotFoundError:
        raise InputError(f"there is no run in {folder} to go on with ({ARGUMENTS} is absent)") from None
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder / ARGUMENTS} cannot be read ({error}): start the run again elsewhere") from None
    return [str(a) for a in argv]


def write_json(path: Path, value: object) -> None:
    with whole(path) as aside:
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
        "problem": int(problem), "command": shlex.join(["python", "run.py", *argv]), "seed": seed,
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
