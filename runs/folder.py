"""A run's own folder: created, never mixed with another run's files, and enough to go on from."""

from __future__ import annotations

import itertools
import json
import os
import platform
import shlex
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from errors import InputError
from inference.checkpoint import whole
from inference.result import Result, versions

ARGUMENTS, SUMMARY = "run.json", "summary.json"
BARE = "fit and save, and no more: no further ranks or comparisons, no checkpoints, no figures"
DATA_SEED = "the seed of data that are made or split at random, where --seed is to be that of the methods only"


@dataclass(frozen=True)
class Checkpoint:
    """One line of the checkpoint table: our number against the reference's, or against a bound."""

    id: str
    what: str
    ours: float
    reference: float
    error: float
    passed: bool

    @classmethod
    def close(cls, id: str, what: str, ours: float, reference: float, error: float, bound: float) -> Checkpoint:
        """Passes when `error` is at most `bound`; a nan fails."""
        return cls(id, what, ours, reference, error, bool(error <= bound))


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


def write_json(path: Path, value: Any) -> None:
    with whole(path) as aside:
        aside.write_text(json.dumps(value, indent=2) + "\n")


def machine() -> dict[str, Any]:
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
                  methods: Sequence[dict[str, Any]], **more: Any) -> Path:
    """`summary.json`: the same shape for every problem."""
    path = folder / SUMMARY
    write_json(path, finite({
        "problem": int(problem), "command": shlex.join(["python", "run.py", *argv]), "seed": seed,
        "versions": versions(), "machine": machine(),
        "checkpoints": [asdict(c) for c in checkpoints], "methods": list(methods), **more,
    }))
    return path


def bare(folder: Path, problem: str, argv: Sequence[str], seed: int, results: Sequence[Result]) -> int:
    """The end of a run under --bare: no checkpoints, no figures; exit status 0."""
    write_summary(folder, problem, argv, seed, [], [method_entry(result) for result in results])
    print(f"{len(results)} result{'s' * (len(results) > 1)} in {folder}; `python run.py compare {folder}` shows them")
    return 0


def finite(value: Any) -> Any:
    """JSON has no nan and no infinity: null says it."""
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    if isinstance(value, float) and not (-float("inf") < value < float("inf")):
        return None
    return value


def method_entry(result: Result, **more: Any) -> dict[str, Any]:
    """A method's line in `summary.json`; a problem adds its own figures."""
    return {
        "name": result.name, "family": result.family, "by": result.by,
        "log_evidence": result.log_evidence, "log_evidence_kind": result.log_evidence_kind,
        "residual": result.final("residual"), "converged": result.converged,
        "steps": result.steps, "seconds": float(result.seconds.sum()), **more,
    }
