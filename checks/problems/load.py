"""The sets of test problems, by the folders here."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

from checks.problems.problem import ProblemSet
from errors import InputError, unknown
from inference import load


@cache
def sets() -> dict[str, ProblemSet]:
    """Every set by its name: by kind of model, plain ones first."""
    found: list[ProblemSet] = [importlib.import_module(f"checks.problems.{path.parent.name}.problems").SET
                               for path in Path(__file__).parent.glob("*/problems.py")]
    order = list(load.kinds())
    return {s.name: s for s in sorted(found, key=lambda s: (order.index(s.kind), s.richer, s.name))}


def of_kind(kind: str) -> list[ProblemSet]:
    """Those for the methods of a kind of model, plain ones first. Errors: InputError where there are none."""
    found = [s for s in sets().values() if s.kind == kind]
    if not found:
        raise InputError(f"there are no test problems for {kind}: there are for "
                         f"{', '.join(dict.fromkeys(s.kind for s in sets().values()))}")
    return found


def problem_set(problems: str | ProblemSet) -> ProblemSet:
    """By its name, if that is what is given."""
    if isinstance(problems, ProblemSet):
        return problems
    if problems not in sets():
        raise unknown("set of test problems", problems, sets())
    return sets()[problems]
