"""The test problems of each kind of model."""

from __future__ import annotations

from checks import factorization_problems, grid_problems
from checks.problem import Problem
from errors import unknown

KINDS = {"grid": grid_problems.problems, "factorization": factorization_problems.problems}


def problems(kind: str) -> list[Problem]:
    """Those of 'grid' or 'factorization', the most telling first."""
    if kind not in KINDS:
        raise unknown("kind of model", kind, KINDS)
    return KINDS[kind]()
