"""What replicates cost, and whether a budget of processor seconds has room for more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Generator

from checks.budget import BATCHED, Budget
from checks.journal import kept
from checks.kernels.kernel import Kernel
from checks.kernels.trial import STEPS, Trial
from checks.problems.problem import Problem
from checks.verdict import Outcome, Verdict

GUESSED = 3  # replicates timed before any are counted
LONG = 2  # problems at least that are taken to the last look
BRIEF = 2  # looks of the others
LEAST = 100  # replicates of a look, however small the budget
BY_VMAP = ("a transition that asks no `if` of a tensor and calls no .item() is moved in all replicates at once, a "
           "hundred times faster")


@dataclass
class Cost:
    """What replicates have cost so far, those of all trials; `guessed` is for one before there are any."""

    clock: Budget
    guessed: float = 0.0
    tried: Sequence[Trial] = ()

    @property
    def each(self) -> float:
        """Seconds a replicate."""
        have = sum(trial.n for trial in self.tried)
        return self.clock.spent / have if have else self.guessed

    def of(self, trials: list[Trial], n: int) -> float:
        """Seconds that it takes to bring these trials to n replicates."""
        return self.each * sum(max(0, n - trial.n) for trial in trials)

    def allows(self, trials: list[Trial], n: int) -> bool:
        return self.clock.spent + self.of(trials, n) <= self.clock.until

    def room(self, trials: list[Trial], n: int) -> int:
        """Replicates of each that the budget has room for, n at most, with as many fresh ones of one to confirm."""
        return kept(f"room for {n}", lambda: self._room(trials, n))

    def _room(self, trials: list[Trial], n: int) -> int:
        if self.allows(trials, n):
            return n
        if not self.each:  # nothing is known of the cost, and the budget is spent
            return 0
        more = (self.clock.until - self.clock.spent) / self.each
        return int((more + sum(trial.n for trial in trials)) / (len(trials) + 1))

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
        self.guessed = (self.clock.spent - began) / (GUESSED * len(chosen))


def longest(trials: list[Trial]) -> list[Trial]:
    """Those that are taken to the last look: brief ones only in the place of others that the kernel refuses."""
    return sorted(trials, key=lambda trial: trial.problem.brief)[:max(LONG, sum(not t.problem.brief for t in trials))]


def ended(verdict: Verdict, kernel: Kernel, cost: Cost, trials: list[Trial], looks: tuple[int, ...]) -> Verdict:
    """The budget is too small for all looks: the one that would do, and what makes the kernel faster. It is a pass all
    the same, as far as it goes, where every problem had the first look's replicates
    and nothing is left in doubt."""
    tens = math.ceil(cost.whole(trials, looks) / 10) if trials else 0
    would_do = f"about {10 * tens:,} seconds would do" if tens else "give it more"
    own = bool(trials) and trials[0].problem.control is not None  # a model of the user's
    least = min((trial.n for trial in trials), default=0)
    doubted = any(trial.doubted for trial in trials)
    seen = (", and before fresh replicates could repeat what is suspected" if doubted else
            f", with nothing off in {least:,}" if LEAST <= least < looks[0] else "")
    why = (f"the budget of {cost.clock.seconds:g} processor seconds ends before {max(looks):,} replicates{seen}; "
           f"{would_do}" + ("" if kernel.batched else f", and {BY_VMAP if own else BATCHED}"))
    if len(looks) > 1 and least >= looks[0] and not doubted:
        verdict.outcome = Outcome.RIGHT
        verdict.warnings.append(why)
    else:
        verdict.outcome, verdict.why = Outcome.UNKNOWN, why
    return verdict
