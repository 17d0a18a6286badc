"""What the numbers of a run depend on, part by part: where one differs no run goes on, and no result is reused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from errors import InputError
from inference.method import Method
from models.model import Data, Model

HOUSE = Path(__file__).parents[1]
ANSWERS = ("models", "data", "inference")  # the folders whose code makes the numbers


def facts(method: Method, model: Model, data: Data, plan: Mapping[str, Any], options: Mapping[str, Any],
          scored: Mapping[str, Any]) -> dict[str, Any]:
    """What a result is of: the kind of model, the model, every set of data, and draws from q behind a score, as the
    observer's facts say; and under `identity` whatever its numbers depend on, part by part, as a fingerprint or itself.
    """
    known = model.facts(data)
    found = {"problem": model.kind} | known | dict(scored) | {"data": known["data"] | scored.get("data", {})}
    said = dict(plan)
    return found | {"identity": {
        "the method": method.name, "the user's file": method.code, "the model": digest(found["model"]),
        **{f"the data '{name}'": digest(of_set) for name, of_set in found["data"].items()},
        "the number of samples behind a score": str(found.get("samples")), "the options": digest(dict(options)),
        "the seed": str(said.pop("seed")), "the number of sweeps, chains or draws": digest(said),
        "the device": str(model.device), "the code of this program": code()}}


def check(what: str, saved: object, now: Mapping[str, str], remedy: str) -> None:
    """Errors: InputError that names the parts in which `what` was made from something else."""
    before = saved if isinstance(saved, dict) else {}
    if not before:
        raise InputError(f"{what} does not say what it was made from, as an older version wrote it: {remedy}")
    other = [part for part in {**now, **before} if before.get(part) != now.get(part)]
    if other:
        raise InputError(f"{what} is of another run (what differs: {', '.join(other)}): give what it was made from, or "
                         f"{remedy}")


@cache
def code(*more: str) -> str:
    """The fingerprint of the code that makes the numbers, and of that in more folders; comments count."""
    found = hashlib.sha256()
    for path in sorted(path for room in (*ANSWERS, *more) for path in (HOUSE / room).rglob("*.py")):
        found.update(f"{path.relative_to(HOUSE).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()[:12]


def digest(value: object) -> str:
    """The fingerprint of what JSON can say.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:12]
