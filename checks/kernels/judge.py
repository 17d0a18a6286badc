"""The verdict on a kernel: contract, then replicates at growing sizes, then reach.

A look rejects when any score does, at `SUSPICION` shared equally among the looks, the problems and the
scores. A rejection is a verdict only if the same score, in the same direction, is rejected again at
`level / (10 SUSPICION)` by as many fresh replicates against a fresh reference; otherwise the next look
decides. So a right kernel is called wrong with probability at most level / 10; the rest is for the
approximations (Student's t for means of bounded scores, frozen coordinates of very slow kernels).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from checks.budget import BATCHED, Budget, Spent, limited, tick
from checks.contract.faults import blind
from checks.kernels import reach, sensitivity, where
from checks.kernels.accepted import accepted
from checks.kernels.hints.hinted import hints
from checks.kernels.kernel import Broken, Kernel
from checks.kernels.nearest import nearest
from checks.kernels.refusal import refused
from checks.kernels.trial import STEPS, Suspect, Trial, confirmed, suspects
from checks.problems.load import problem_set
from checks.problems.problem import Problem, ProblemSet, take
from checks.verdict import Finding, Outcome, Verdict
from errors import InputError
from inference.engine import one_thread
from inference.finite import tensors
from inference.method import Family, Latents
from models.model import Data

LOOKS = (500, 2000, 8000)
SUSPICION = 0.05
GUESSED = 3  # replicates timed before any are counted
LONG = 2  # problems at least that are taken to the last look
BRIEF = 2  # looks of the others
Watch = Callable[[str], None] | None  # is told what goes on
DIRECTIONS = ({1: "too large", -1: "too small"}, {1: "too spread out", -1: "too little spread"})


@dataclass
class Cost:
    """What replicates have cost so far, within a budget; `each` is a guess before there are any."""

    clock: Budget
    each: float = 0.0

    def of(self, trials: list[Trial], n: int) -> float:
        """Seconds that it takes to bring all trials to n replicates, at the cost a replicate has had."""
        have = sum(trial.n for trial in trials)
        return (self.clock.spent / have if have else self.each) * sum(max(0, n - trial.n) for trial in trials)

    def allows(self, trials: list[Trial], n: int) -> bool:
        return self.clock.spent + self.of(trials, n) <= self.clock.seconds

    def whole(self, trials: list[Trial], looks: tuple[int, ...]) -> float:
        """Seconds that all looks would take, and half as many again for what is not replicates."""
        last = longest(trials)
        rest = self.of([t for t in trials if t not in last], max(looks[:BRIEF])) + self.of(last, max(looks))
        return 1.5 * (self.clock.spent + rest)

    def guess(self, rng: Generator, kernel: Kernel, chosen: list[Problem]) -> None:
        """Time a few replicates of every problem, for kernels that take them one by one."""
        if kernel.batched:
            return
        began = self.clock.spent
        for problem in chosen:
            kernel.move(rng, problem, *problem.joint(rng, GUESSED), STEPS)
        self.each = (self.clock.spent - began) / (GUESSED * len(chosen))


def judge(kernel: Kernel, problems: str | ProblemSet, *, seed: int = 0, level: float = 1e-3, budget: float = 300.0,
          looks: tuple[int, ...] | None = None, explain: bool = True, watch: Watch = None) -> Verdict:
    """The verdict on a kernel by a set of test problems, perhaps by its name; `explain` adds the hints."""
    looks, rng, clock = looks or LOOKS, Generator().manual_seed(seed), Budget(budget, watch)
    with one_thread(), limited(clock):
        wanted = problem_set(problems)
        verdict, trials = _judged(rng, kernel, wanted, level, Cost(clock), looks)
        off = {finding.problem for finding in verdict.findings}
        told = [trial for trial in trials if (trial.problem.name in off if off else trial.n)]
        verdict.tested = [{"problem": t.problem.name, "replicates": t.n,
                           "functions": len(t.scale.names) if t.scale else 0} for t in told]
        allowed = SUSPICION / len(looks) / max(len(trials), 1)
        if explain:
            try:
                _explain(verdict, told)
                if verdict.outcome is Outcome.RIGHT and kernel.method.family is Family.MCMC:
                    verdict.warnings += reach.forgetting(trials[0])
                    verdict.excluded = sensitivity.excluded(rng, kernel, longest(trials), allowed)
                elif off and Cost(clock).allows(trials, told[0].n):
                    verdict.warnings += where.only(wanted, trials, told[0], allowed)
                    verdict.warnings += hints(trials, told[0], allowed)
                verdict.nearest = nearest(trials) if off else []
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
        return cannot_tell(verdict, kernel, cost, trials, looks), trials
    except Broken as error:
        verdict.faults.append(str(error))
        return verdict, trials
    trials = [Trial(rng, kernel, problem) for problem in chosen]
    if verdict.faults:
        verdict.outcome = Outcome.UNFIT
        return verdict, []
    try:
        cost.guess(rng, kernel, chosen)
        verdict.faults += walked(rng, kernel, problems, cost)
        for n in looks:
            going = trials if n in looks[:BRIEF] else longest(trials)
            if not cost.allows(going, n):
                return cannot_tell(verdict, kernel, cost, trials, looks), trials
            for trial in going:
                tick(f"{n:,} replicates of the {trial.problem.name}")
                caught = look(trial, n, SUSPICION / len(looks) / len(trials), level / (10 * SUSPICION))
                verdict.findings = [described(trial, s) for s in caught]
                if kernel.method.family is Family.MCMC:
                    verdict.faults += [f for f in reach.frozen(trial) if f not in verdict.faults]
                if caught or verdict.faults:
                    return unless(verdict, trial), trials
    except Spent:
        return cannot_tell(verdict, kernel, cost, trials, looks), trials
    except Broken as error:
        verdict.faults.append(str(error))
        return verdict, trials
    verdict.outcome = Outcome.RIGHT
    return verdict, trials


def cannot_tell(verdict: Verdict, kernel: Kernel, cost: Cost, trials: list[Trial], looks: tuple[int, ...]) -> Verdict:
    """The budget is too small: the one that would do, and what makes the kernel faster."""
    verdict.outcome = Outcome.UNKNOWN
    tens = math.ceil(cost.whole(trials, looks) / 10) if trials else 0
    would_do = f"about {10 * tens:,} seconds would do" if tens else "give it more"
    verdict.why = (f"the budget of {cost.clock.seconds:g} processor seconds ends before {max(looks):,} replicates; "
                   f"{would_do}" + ("" if kernel.batched else f", and {BATCHED}"))
    return verdict


def unless(verdict: Verdict, trial: Trial) -> Verdict:
    """A wrong kernel's verdict, unless what was seen says nothing of a kernel like this one."""
    if verdict.findings and (more := drawn_besides(trial)):
        verdict.outcome = Outcome.UNKNOWN
        verdict.why = (f"{verdict.findings[0]}, but its start draws {', '.join(more)} beside the latents: if not given "
                       f"them and the data, a right kernel is off at first too; draw it so, and say "
                       f"STARTS_IN_EQUILIBRIUM = True in the file")
    elif verdict.faults and still(trial):
        verdict.outcome, verdict.faults = Outcome.UNKNOWN, []
        verdict.why = (f"nothing moved in {trial.n:,} replicates of {STEPS} steps, though it draws random numbers: if "
                       f"it accepts or refuses, make its steps shorter, or look at its acceptance probability; if "
                       f"not, it returns what it was given")
    return verdict


def drawn_besides(trial: Trial) -> list[str]:
    """What a State holds that `start` draws besides the latents, unless the file says that it is drawn given them."""
    method, problem = trial.kernel.method, trial.problem
    if not method.start or getattr(method.module, "STARTS_IN_EQUILIBRIUM", False):
        return []
    one = take(trial.before, 0), problem.one(trial.data, 0)
    first, second = (dict(tensors(trial.kernel.start(Generator().manual_seed(seed), problem.model, one[1], one[0])))
                     for seed in (1, 2))
    return [name for name, x in first.items() if name in second and not torch.equal(x, second[name])]


def still(trial: Trial) -> bool:
    """Whether nothing moved in any replicate, though random numbers were drawn for it."""
    if not all(torch.equal(x, trial.after[site]) for site, x in trial.before.items()):
        return False
    rng = Generator().manual_seed(0)
    before = rng.get_state()
    trial.kernel.move(rng, trial.problem, take(trial.before, slice(2)), take(trial.data, slice(2)), STEPS)
    return not torch.equal(before, rng.get_state())


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


def _rounded(z: Tensor) -> float | None:
    return round(float(z), 3) if bool(torch.isfinite(z)) else None


def longest(trials: list[Trial]) -> list[Trial]:
    """Those that are taken to the last look: brief ones only in the place of others that the kernel refuses."""
    return sorted(trials, key=lambda trial: trial.problem.brief)[:max(LONG, sum(not t.problem.brief for t in trials))]


def walked(rng: Generator, kernel: Kernel, problems: ProblemSet, cost: Cost) -> list[str]:
    """What the state graph of the first tiny problem says that the kernel takes."""
    if not problems.tiny or kernel.method.family is not Family.MCMC:
        return []
    for tiny in problems.tiny():
        if cost.clock.spent + reach.moves(tiny) * cost.each > cost.clock.seconds:
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
    again = Trial(trial.rng, trial.kernel, trial.problem, trial.model).upto(n)
    return found if confirmed(again, found[0], fresh_allowed) else []


def described(trial: Trial, suspect: Suspect) -> Finding:
    """A suspect in words, with the function's own means."""
    assert trial.scale is not None
    problem, name = trial.problem, trial.scale.names[suspect.function]
    values = [_values(problem, name, latents, trial.data) for latents in (trial.before, trial.after)]
    compared = trial.upto(trial.n)
    return Finding(name[0], name[1], DIRECTIONS[suspect.score][int(suspect.sign)],
                   float(compared.d[suspect.score, suspect.function]), suspect.z,
                   float(values[1].mean()), float(values[0].mean()), problem.name)


def _values(problem: Problem, name: tuple[str, str], latents: Latents, data: Data) -> Tensor:
    free = problem.free(problem.model, latents, data)
    return free[name] if name in free else problem.normal(problem.model, latents, data)[name]
