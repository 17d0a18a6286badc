"""The one door to a verdict: from a name, a file, a method or a module.

    check("row_gibbs")      check("mine.py:MyKernel", problems="ladder")      check("zoo/stale_u")
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from checks.asked import PROGRAM, Asked, What, everything, found
from checks.fits.judge import judge_fit
from checks.guides.guide import Guide
from checks.guides.judge import judge_guide
from checks.kernels.judge import Watch, judge
from checks.kernels.kernel import Kernel
from checks.problems.problem import ProblemSet
from checks.verdict import Verdict
from errors import InputError
from inference import footprint
from inference.method import Family, Method
from inference.options import typed

__all__ = ["Asked", "check", "chosen_options", "everything", "found", "judged"]


def check(what: What, *, problems: str | ProblemSet | None = None, options: Mapping[str, object] | None = None,
          seed: int = 0, level: float = 1e-3, budget: float = 300.0, watch: Watch = None) -> Verdict:
    """Is it right? Wrong is said of a right method with probability at most `level`; `budget` is in processor seconds,
    and `watch` is told now and then what goes on.

    what        a name, "zoo/NAME", a path ("mine.py", "mine.py:Name"), a Method, or a module that holds one
    problems    a set of test problems (default: found out)
    options     of the method, in words or values

    Errors: InputError for what cannot be judged, or is two things.
    """
    asked = found(what, problems=problems)
    return judged(asked, chosen_options(asked, options or {}), seed=seed, level=level, budget=budget, watch=watch)


def judged(asked: Asked, options: Mapping[str, object], *, seed: int, level: float, budget: float, watch: Watch = None
           ) -> Verdict:
    """The verdict, by what is asked. Errors: InputError for a budget that is none."""
    if not budget > 0:
        raise InputError(f"the budget must be a positive number of seconds, not {budget:g}")
    what, problems = asked.what, asked.problems
    if isinstance(what, Method) and what.guide:
        room = "program" if asked.problems.kind == PROGRAM else "pyro"  # which imports Pyro
        what = importlib.import_module(f"checks.guides.{room}").of(what, options)
    if isinstance(what, Method):
        refuse_beyond(what, problems, options)
    if isinstance(what, Guide):
        verdict = judge_guide(what, problems, seed=seed, level=level, budget=budget, watch=watch)
    elif what.family is Family.VARIATIONAL:
        verdict = judge_fit(what, problems, options, seed=seed, level=level, budget=budget, watch=watch)
    else:
        verdict = judge(Kernel(what, options), problems, seed=seed, level=level, budget=budget, watch=watch)
    verdict.by_design = not asked.exact
    return verdict


def refuse_beyond(method: Method, problems: ProblemSet, options: Mapping[str, object]) -> None:
    """Errors: InputError for options by which a small test problem takes more memory than is free."""
    problem = problems.problems()[0]
    footprint.check_work(method, problem.model, None, options)


def chosen_options(asked: Asked, given: Mapping[str, object]) -> dict[str, object]:
    """Typed, with those that its name stands for. Errors: InputError for an option that it does not have."""
    if isinstance(asked.what, Method):
        return typed(asked.what, {**asked.options, **given})
    if given:
        raise InputError(f"{asked.name} is a guide written as functions: it has no options, not {', '.join(given)}")
    return {}
