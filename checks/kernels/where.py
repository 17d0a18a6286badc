"""Where a mistake shows and where it does not, in the words of what the set of test problems is made to show."""

from __future__ import annotations

from checks.kernels.trial import Trial, suspects
from checks.problems.coverage import shown
from checks.problems.problem import Problem, ProblemSet

SURE = 1e-3  # of the level of a look: what it rejects without fresh replicates


def only(problems: ProblemSet, trials: list[Trial], found: Trial, allowed: float) -> list[str]:
    """What the problems have on which as many replicates reject as `found` took, and none that shows nothing."""
    n = found.n
    rejected = {t.problem.name: suspects(t.upto(n), allowed) for t in trials}
    sure = {t.problem.name for t in trials if t is found or suspects(t.upto(n), SURE * allowed)}
    clean = [t.problem for t in trials if not rejected[t.problem.name]]
    seen = {name for problem in clean for name in shown(problems, problem)}
    has = [set(shown(problems, t.problem)) - seen for t in trials if t.problem.name in sure]
    return told(clean, [name for name in problems.shows if all(name in one for one in has)], n)


def told(clean: list[Problem], common: list[str], n: int) -> list[str]:
    """The two in a sentence."""
    if not clean:
        return []
    few = f"the {'; the '.join(problem.name for problem in clean)}"
    many = f"{len(clean)} problem{'s' * (len(clean) > 1)}"
    where = f"the {many} without {'any of these' if len(common) > 1 else 'it'}" if common else few
    found = f"found only with {' and '.join(common)}: " if common else ""
    return [f"{found}nothing is off in {n:,} replicates of {where}. A kernel that is not meant "
            f"for the others refuses them with an InputError, and is judged on the rest"]
