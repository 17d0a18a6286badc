"""The verdict on a variational method of the contract, from outside: its draws, its moments, the ELBO it reports.

    draws     mean and variance of what it draws, entry by entry, against `expect`
    ELBO      what its Info says against E_q[log p - log q] in closed form (by enumeration on grids), for a q of
              independent parts; a q whose draws are dependent is not asked
    fit       that ELBO against what coordinate ascent makes of the same q; a nat may lack

Run on three data sets; wrong if most of them say so. A bound that is not one (Bethe) cannot be told.
A method with learning rate and minibatches has them for thousands of ratings: here it gets all ratings at once,
its own rate and twice that, and the better fit counts. One that chooses its kind of steps is judged by its choice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from scipy import stats
from torch import Generator, Tensor

from checks.budget import Budget, Spent, limited, overseen, tick
from checks.guides.judge import FITS
from checks.journal import kept
from checks.kernels.judge import SUSPICION, Watch
from checks.kernels.kernel import Broken, blaming
from checks.problems.load import problem_set
from checks.problems.problem import Moments, Problem, ProblemSet
from checks.verdict import Outcome, Verdict
from inference.engine import one_thread
from inference.method import Info, Kind, Method
from models.model import Data, Model, stream

STEPS = 150  # of the method, or until its residual is nothing
GRADIENT_STEPS = 1000  # where a step is one of gradient ascent
RATE = 0.1  # of Adam, as the methods here have it
DRAWS = 4000
NATS = 1.0  # that a fit may lack
CLOSE = 1e-3  # nats: two ways to the same ELBO


def judge_fit(method: Method, problems: str | ProblemSet, options: Mapping[str, object] | None = None, *,
              seed: int = 0, level: float = 1e-3, budget: float = 300.0, fits: int = FITS, watch: Watch = None
              ) -> Verdict:
    """The verdict on a variational method by the larger problem of a set, perhaps by its name."""
    clock, rng = Budget(budget, watch), stream(seed)
    problem = problem_set(problems).fitting()
    verdict = Verdict(method.name, Outcome.RIGHT, level, seed=seed)
    said: list[list[str]] = []
    with one_thread(), limited(clock):
        try:
            for _ in range(fits):
                bad = sum(map(bool, said))
                if max(bad, len(said) - bad) > fits / 2:
                    break  # most have said so
                tick(f"fit {len(said) + 1}")
                with overseen(), blaming(method.name):
                    faults, why, warnings = kept("a fit", lambda: _faults(
                        rng, method, problem, dict(options or {}), level), rng)
                said.append(faults)
                verdict.why, verdict.warnings = why or verdict.why, warnings or verdict.warnings
        except Broken as error:
            verdict.faults.append(str(error))
        except Spent:
            verdict.why = f"the budget of {budget:g} processor seconds ends before its fits have been looked at"
    verdict.tested = [{"problem": problem.name, "replicates": len(said), "functions": 3, "unit": "data sets"}]
    if 2 * sum(map(bool, said)) > fits:
        verdict.faults += next(s for s in said if s)
    if verdict.faults:
        verdict.outcome = Outcome.WRONG
    elif verdict.why:
        verdict.outcome = Outcome.UNKNOWN
    verdict.seconds = clock.spent
    return verdict


def _faults(rng: Generator, method: Method, problem: Problem, options: dict[str, object], level: float
            ) -> tuple[list[str], str, list[str]]:
    """Of one data set: what is wrong, why nothing can be told, and what is no fault."""
    answers, (_, drawn) = problem.answers, problem.joint(rng, 1)
    assert answers, f"nothing is known of a fit on the {problem.name}"
    data, model = problem.one(drawn, 0), problem.model
    state, info = fit(rng, method, model, data, options)
    claimed = method.expect(state, model) if method.expect else None
    if claimed is None:
        return [], "it has no `expect`, so there is nothing to hold its fit against", []
    draws = [method.draw(rng, state, model) for _ in range(DRAWS)]
    together = {site: torch.stack([d[site] for d in draws]) for site in draws[0]}
    found = moments(answers.moments(claimed), answers.values(together), level)
    if info.elbo is None or info.kind not in (None, Kind.LOWER):
        return found, "it reports no lower bound, so there is nothing to hold its fit against", []
    if found or not answers.independent(claimed, together):
        return found, "", []
    value, best = answers.elbo(data, claimed), answers.polished(data, claimed)
    if not abs(value - info.elbo) <= CLOSE:
        said = f"it reports an ELBO of {info.elbo:.4f} nats; that of its own means and variances is {value:.4f}"
        return [said], "", []
    lacks = f"its ELBO lacks {best - value:.1f} nats that coordinate ascent finds from the same q"
    if best - value > NATS and tied(claimed):
        return [], "", [f"poor: {lacks}, with a variance for every entry; that is how good its family is, not whether "
                        f"it is right"]
    return [f"UNDER-FITTED: {lacks}"] if best - value > NATS else [], "", []


def tied(claimed: Mapping[str, Tensor]) -> bool:
    """Whether all entries of a site have one variance: a smaller family than a normal for every entry."""
    variances = [x for name, x in claimed.items() if name.endswith("_var") and x.numel() > 1]
    return any(bool((x == x.flatten()[0]).all()) for x in variances)


def fit(rng: Generator, method: Method, model: Model, data: Data, options: dict[str, object]) -> tuple[object, Info]:
    """Its state at the end, and the last Info."""
    stochastic = minibatches(method, options)
    tried: list[dict[str, object]] = [{}]
    if stochastic:
        tried = [{"batch_size": len(data)}, {"batch_size": len(data), "lr": 2 * RATE}]
    ends = []
    for more in tried:
        state = method.init(rng, model, data, **options, **more)
        for _ in range(GRADIENT_STEPS if stochastic else STEPS):
            tick()
            state, info = method.step(rng, state, model, data)
            if info.residual is not None and info.residual < 1e-10:
                break
        ends.append((state, info))
    return max(ends, key=lambda end: -math.inf if end[1].elbo is None else end[1].elbo)


def minibatches(method: Method, options: Mapping[str, object]) -> bool:
    """Whether it takes gradient steps on minibatches whose size and rate nobody has said; with steps of its own choice,
    where that is Adam's."""
    adams = {"lr", "batch_size"}
    chooses = "steps" in method.options and options.get("steps") != "adam" and "recipe" not in options
    return adams <= method.options.keys() and not adams & options.keys() and not chooses


def moments(claimed: Moments, drawn: dict[str, Tensor], level: float) -> list[str]:
    """Entries whose draws have another mean or variance than `expect` says, at half the level over all entries."""
    found = []
    count = 2 * sum(x[0].numel() for x in drawn.values())
    limit = stats.norm.isf(min(level, SUSPICION) / 4 / count)
    for name, (mean, variance) in claimed.items():
        x = drawn[name].double()
        error = x.sub(mean).square()
        checks = (("mean", (x.mean(0) - mean) / (variance / len(x)).sqrt().clamp(min=1e-9)),
                  ("variance", (error.mean(0) - variance) / (error.std(0) / len(x) ** 0.5).clamp(min=1e-9)))
        for word, z in checks:
            if float(z.abs().max()) > limit and not bool((variance < 1e-6).all()):
                found.append(f"the {word} of its draws of {name} is not what `expect` says "
                             f"(z = {float(z.flatten()[z.abs().argmax()]):+.1f} at the worst entry)")
    return found
