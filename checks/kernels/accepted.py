"""Which test problems a kernel takes, and what is therefore never tried."""

from __future__ import annotations

from torch import Generator

from checks.contract.faults import faults
from checks.kernels.kernel import Broken, Kernel
from checks.kernels.refusal import Refused
from checks.problems.coverage import untried
from checks.problems.problem import Problem, ProblemSet
from checks.verdict import Verdict
from errors import InputError


def accepted(rng: Generator, kernel: Kernel, problems: ProblemSet, verdict: Verdict) -> list[Problem]:
    """The problems the kernel does not refuse; what it refuses, and contract faults, go to the verdict."""
    chosen: list[Problem] = []
    said: dict[str, list[str]] = {}
    for problem in problems.problems():
        try:
            verdict.faults += contract(rng, kernel, problem)
            chosen.append(problem)
        except InputError as error:
            said.setdefault(str(error), []).append(problem.name)
        if any(" raised " in fault for fault in verdict.faults):
            verdict.warnings.append(f"this was on the {problem.name}: a kernel that is not meant for it refuses it "
                                    f"with an InputError, and is judged on the rest")
        if verdict.faults:
            return chosen
    lines = [f"the {'; the '.join(names)}: \"{words}\"" for words, names in said.items()]
    if not chosen and lines:
        raise InputError(f"{kernel.method.name} refuses every test problem: {'; '.join(lines)}")
    verdict.refused = sum(map(len, said.values()))
    if lines and (unseen := untried(problems, chosen)):
        verdict.warnings.append(f"never tried: {'; '.join(unseen)}")
    verdict.warnings += [f"it refuses {line}" for line in lines]
    return chosen


def contract(rng: Generator, kernel: Kernel, problem: Problem) -> list[str]:
    """Its faults of form on a problem. Errors: InputError where it refuses that, whatever the latents and the data;
    Broken where it does on some of them only, or draws numbers that are none."""
    try:
        return faults(rng, kernel, problem)
    except Refused as error:
        faults(rng, kernel, problem)
        raise Broken(f"it raises on some latents and data, and on others not: {error}") from None
