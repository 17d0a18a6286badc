"""Where a mistake shows and where it does not, in what the set of test problems is made to show."""

from __future__ import annotations

from checks.kernels.trial import Trial, suspects
from checks.problems.coverage import shown
from checks.problems.problem import ProblemSet


def only(problems: ProblemSet, trials: list[Trial], n: int, allowed: float) -> list[str]:
    """What the problems have on which n replicates reject, and none of those has on which nothing was found."""
    off = {t.problem.name for t in trials if suspects(t.upto(n), allowed)}
    clean = [t.problem for t in trials if t.problem.name not in off]
    if not off or not clean:
        return []
    seen = {name for problem in clean for name in shown(problems, problem)}
    has = [set(shown(problems, t.problem)) - seen for t in trials if t.problem.name in off]
    common = [name for name in problems.shows if all(name in one for one in has)]
    told = f"found only with {' and '.join(common)}: " if common else ""
    return [f"{told}nothing is off in {n:,} replicates of the {'; the '.join(p.name for p in clean)}. A kernel that is "
            f"not meant for the others refuses them with an InputError, and is judged on the rest"]
