"""The verdict on a kernel: contract, then replicates at growing sizes, then reach.

A look rejects when any score does, at `SUSPICION` shared equally among the looks, the problems and the
scores. A rejection is a verdict only if the same score, in the same direction, is rejected again at
`level / (10 SUSPICION)` by as many fresh replicates against a fresh reference; otherwise the next look
decides. So a right kernel is called wrong with probability at most level / 10; the rest is for the
approximations (Student's t for means of bounded scores, frozen coordinates of very slow kernels).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Generator, Tensor

from checks.budget import Budget, Spent, limited, tick
from checks.contract.faults import blind
from checks.kernels import reach, sensitivity, weights, where
from checks.kernels.accepted import accepted
from checks.kernels.cost import BRIEF, LEAST, Cost, ended, longest
from checks.kernels.hints.hinted import hints
from checks.kernels.kernel import Broken, Kernel
from checks.kernels.nearest import nearest
from checks.kernels.refusal import refused
from checks.kernels.trial import Suspect, Trial, confirmed, suspects
from checks.kernels.unless import unless
from checks.problems.load import problem_set
from checks.problems.problem import Features, Problem, ProblemSet
from checks.verdict import Finding, Outcome, Verdict
from errors import InputError
from inference.engine import one_thread
from inference.method import Family, Latents
from models.model import Data, stream

LOOKS = (500, 2000, 8000)
KEPT = 0.1  # of the budget, for what a pass excludes and for the hints
SUSPICION = 0.05
Watch = Callable[[str], None] | None  # is told what goes on
DIRECTIONS = ({1: "too large", -1: "too small"}, {1: "too spread out", -1: "too little spread"})


def judge(kernel: Kernel, problems: str | ProblemSet, *, seed: int = 0, level: float = 1e-3, budget: float = 300.0,
          looks: tuple[int, ...] | None = None, explain: bool = True, watch: Watch = None) -> Verdict:
    """The verdict on a kernel by a set of test problems, perhaps by its name; `explain` adds the hints."""
    looks, rng, clock = looks or LOOKS, stream(seed), Budget(budget, watch)
    kernel = replace(kernel, rare=[], moved=[])
    with one_thread(), limited(clock):
        wanted = problem_set(problems)
        clock.kept = KEPT * budget if explain else 0.0
        verdict, trials = _judged(rng, kernel, wanted, level, Cost(clock), looks)
        clock.kept = 0.0
        off = {finding.problem for finding in verdict.findings}
        told = [trial for trial in trials if (trial.problem.name in off if off else trial.n)]
        verdict.tested = [{"problem": t.problem.name, "replicates": t.n,
                           "functions": len(t.scale.names) if t.scale else 0} for t in told]
        allowed = SUSPICION / len(looks) / max(len(trials), 1)
        if explain:
            try:
                _explain(verdict, told)
                if verdict.outcome is Outcome.RIGHT and kernel.method.family is Family.MCMC:
                    _excluded(verdict, trials[0], allowed)
                    verdict.warnings += reach.forgetting(trials[0])
                    verdict.excluded = sensitivity.excluded(rng, kernel, longest(trials), allowed)
                elif off and verdict.outcome is Outcome.WRONG:
                    verdict.nearest = nearest(trials)
                    if Cost(clock, tried=trials).allows(trials, told[0].n):
                        verdict.warnings += where.only(wanted, trials, told[0], allowed)
                        verdict.warnings += hints(trials, told[0], allowed)
            except Spent:
                verdict.warnings.append("the budget ends before all hints are found")
    if kernel.rare and verdict.outcome is not Outcome.WRONG:
        verdict.warnings.append(f"rare, and no verdict: in {len(kernel.rare)} of {sum(kernel.moved):,} replicates "
                                + kernel.rare[0])
    verdict.seconds, verdict.seed = clock.spent, seed
    return verdict


def _judged(rng: Generator, kernel: Kernel, problems: ProblemSet, level: float, cost: Cost,
            looks: tuple[int, ...]) -> tuple[Verdict, list[Trial]]:
    verdict = Verdict(kernel.method.name, Outcome.WRONG, level)
    trials: list[Trial] = []
    try:
        chosen = accepted(rng, kernel, problems, verdict)
    except Spent:
        return ended(verdict, kernel, cost, trials, looks), trials
    except Broken as error:
        verdict.faults.append(str(error))
        return verdict, trials
    cost.tried = trials = [Trial(rng, kernel, problem) for problem in chosen]
    if verdict.faults:
        verdict.outcome = Outcome.UNFIT
        return verdict, []
    try:
        cost.guess(rng, kernel, chosen)
        verdict.faults += walked(rng, kernel, problems, cost)
        for n in looks:
            going = trials if n in looks[:BRIEF] else longest(trials)
            size = cost.room(going, n)
            for trial in going if size >= LEAST else ():
                tick(f"{size:,} replicates of the {trial.problem.name}")
                caught = look(trial, max(size, trial.n), SUSPICION / len(looks) / len(trials), level / (10 * SUSPICION))
                verdict.findings = described(trial, caught)
                if kernel.method.family is Family.MCMC:
                    verdict.faults += [f for f in reach.frozen(trial) if f not in verdict.faults]
                if caught or verdict.faults:
                    return unless(verdict, trial, SUSPICION / len(looks) / len(trials)), trials
            if size < n:
                return ended(verdict, kernel, cost, trials, looks), trials
    except Spent:
        return ended(verdict, kernel, cost, trials, looks), trials
    except Broken as error:
        verdict.faults.append(str(error))
        return verdict, trials
    verdict.outcome = Outcome.RIGHT
    return verdict, trials


def _explain(verdict: Verdict, trials: list[Trial]) -> None:
    """Fill in the figure's numbers and, if it is wrong, what the kernel seems to have used and what it looks like."""
    for trial in trials:
        problem, data, compared = trial.problem, trial.data, trial.upto(trial.n)
        assert trial.scale is not None
        verdict.scores[problem.name] = [
            {"quantity": name[0], "where": name[1], "place": _rounded(compared.z[0, f]),
             "spread": _rounded(compared.z[1, f]), "sd": _rounded(compared.d[0, f])}
            for f, name in enumerate(trial.scale.names)]
        if verdict.outcome is Outcome.WRONG and verdict.findings:
            finite = all(bool(torch.isfinite(x).all()) for x in trial.after.values())
            verdict.implied = problem.implied(problem.model, trial.after, data) if finite else []
            verdict.faults += blind(trial.kernel, problem, trial.before, data)


def _excluded(verdict: Verdict, trial: Trial, allowed: float) -> None:
    """Of a user's model: the weights of its terms that a pass would have found, and what its example tells."""
    verdict.weights = weights.found_from(trial, allowed)
    if trial.problem.informed:
        verdict.informed = trial.problem.informed(trial.rng)
        verdict.warnings += weights.weak(verdict.weights, verdict.informed)


def _rounded(z: Tensor) -> float | None:
    return round(float(z), 3) if bool(torch.isfinite(z)) else None


def walked(rng: Generator, kernel: Kernel, problems: ProblemSet, cost: Cost) -> list[str]:
    """What the state graph of the first tiny problem says that the kernel takes."""
    if not problems.tiny or kernel.method.family is not Family.MCMC:
        return []
    for tiny in problems.tiny():
        if cost.clock.spent + reach.moves(tiny) * cost.each > cost.clock.until:
            continue
        try:
            return reach.disconnected(rng, kernel, tiny)
        except (InputError, Broken) as error:
            if not (isinstance(error, InputError) or refused(error.__cause__, kernel.method)):
                raise
    return []


def look(trial: Trial, n: int, allowed: float, fresh_allowed: float) -> list[Suspect]:
    """What n replicates reject and n fresh ones confirm; nothing if the worst is not confirmed."""
    found = suspects(trial.upto(n), allowed)
    if not found:
        return []
    trial.doubted = True
    fresh = Trial(trial.rng, trial.kernel, trial.problem, trial.model)
    fresh.scale = trial.scale and trial.scale.forgotten()
    again = fresh.upto(n)
    trial.doubted = False
    return found if confirmed(again, found[0], fresh_allowed) else []


def described(trial: Trial, caught: list[Suspect]) -> list[Finding]:
    """Suspects in words, with the functions' own means."""
    if not caught:
        return []
    assert trial.scale is not None
    problem, compared = trial.problem, trial.upto(trial.n)
    before, after = (_values(problem, latents, trial.data) for latents in (trial.before, trial.after))
    names = [trial.scale.names[suspect.function] for suspect in caught]
    return [Finding(name[0], name[1], DIRECTIONS[suspect.score][int(suspect.sign)],
                    float(compared.d[suspect.score, suspect.function]), suspect.z,
                    float(after[name].mean()), float(before[name].mean()), problem.name)
            for name, suspect in zip(names, caught, strict=True)]


def _values(problem: Problem, latents: Latents, data: Data) -> Features:
    return {**problem.normal(problem.model, latents, data), **problem.free(problem.model, latents, data)}
