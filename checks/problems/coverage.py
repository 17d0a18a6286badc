"""What a set of test problems must be able to show, as words and predicates, and what of it was never tried.

A mistake at even widths needs a grid of even width. A set says so in its `shows`: "an even width" and what tells it of
a model and the data of some replicates. A test asks that every one is covered; a pass names those that the accepted
problems do not have.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

from checks.problems.problem import Problem, ProblemSet

LOOKED_AT = 64  # replicates: what one in ten has is among them


def shown(problems: ProblemSet, problem: Problem) -> list[str]:
    """What of the set's list can be seen on this problem."""
    _, data = problem.joint(torch.Generator().manual_seed(0), LOOKED_AT)
    return [name for name, has in problems.shows.items() if has(problem.model, data)]


def untried(problems: ProblemSet, tried: Iterable[Problem]) -> list[str]:
    """What is on the set's list and on none of these problems."""
    seen = {name for problem in tried for name in shown(problems, problem)}
    return [name for name in problems.shows if name not in seen]
