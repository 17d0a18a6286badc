"""The test problems of each kind of model."""

from __future__ import annotations

from checks.problems import factorization as factorization_problems
from checks.problems import grid as grid_problems
from checks.problems import ladder as ladder_problems
from checks.problems.problem import Problem
from errors import unknown

KINDS = {"grid": grid_problems.problems, "factorization": factorization_problems.problems,
         "ladder": ladder_problems.problems}


def problems(kind: str) -> list[Problem]:
    """Those of 'grid', 'factorization' or 'ladder' (with more than U and V learned), the most telling first."""
    if kind not in KINDS:
        raise unknown("kind of model", kind, KINDS)
    return KINDS[kind]()
