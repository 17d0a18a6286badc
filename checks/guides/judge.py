"""The verdict on a guide: what belongs together, asked twice, and whether it is fitted.

A question is suspicious at `SUSPICION` shared among all questions; fresh noise must say the same, with the same
sign, at level / (2 SUSPICION). So a right guide is called wrong with probability at most level / 2 by these.
A fit of the author's own counts as lacking when it is more than a nat, and more than six standard errors, below what
longer steps on its own objective find in its own family, from there or from another start, on most of three data sets:
bad luck once is not lacking. Where there is none, Adam fits it, and there is no fit to judge.

How good a fit is, is told for information, as it may be poor and yet right:

    poor        the best of the family that was found is below what coordinate ascent makes of the same means and
                variances, when all entries are normal by themselves, each with a variance of its own
    k-hat       the shape of the tail of p / q over samples of q (PSIS; Yao et al. 2018); above 0.7, q is too unlike
                the posterior for weights to correct it
    coverage    the share of the model's true quantities (the means behind the ratings) in q's 90% intervals
"""

from __future__ import annotations

import torch
from torch import Tensor

from checks.budget import Budget, Spent, limited, tick
from checks.guides.guide import Guide, Params, misfits, noise
from checks.guides.questions import NATS, Mean, lacking, log_ratio, questions
from checks.journal import kept
from checks.kernels.judge import SUSPICION, Watch
from checks.kernels.kernel import Broken, Unfit, blaming
from checks.problems.load import problem_set
from checks.problems.problem import Problem, ProblemSet, take
from checks.verdict import Finding, Outcome, Verdict
from inference.engine import one_thread
from inference.method import Latents
from inference.result import import_arviz
from models.model import Data, Model, stream

FITS = 3
WOULD_DO = 120  # processor seconds, about
POOR = 0.7  # a k-hat


def judge_guide(guide: Guide, problems: str | ProblemSet, *, seed: int = 0, level: float = 1e-3,
                budget: float = 300.0, fits: int = FITS, watch: Watch = None) -> Verdict:
    """The verdict on a guide by the larger problem of a set, perhaps by its name."""
    clock, rng = Budget(budget, watch), stream(seed)
    verdict = Verdict(guide.name, Outcome.RIGHT, level, seed=seed)
    where = problem_set(problems).fitting()
    with one_thread(), limited(clock):
        try:
            with blaming(guide.name):
                if found := misfits(rng, guide, where.model, where.one(where.joint(rng, 1)[1], 0)):
                    raise Unfit(found[0])
                tick("density, objective and gradient")
                _ask(rng, guide, where, verdict)
                if not verdict.findings and where.answers:
                    _fit(rng, guide, where, verdict, fits)
                elif not verdict.findings and guide.quality:
                    tick("fits")
                    verdict.warnings += _told(rng, guide, where, clock, level)
        except Unfit as error:
            verdict.outcome, verdict.faults = Outcome.UNFIT, [str(error)]
        except Broken as error:
            verdict.faults.append(str(error))
        except Spent:
            verdict.outcome = Outcome.UNKNOWN
            verdict.why = (f"the budget of {budget:g} processor seconds ends before all is asked and its fits have "
                           f"been looked at; nothing was wrong with it so far, and "
                           + (f"{WOULD_DO:g} seconds do for most" if budget < WOULD_DO else "it needs more"))
    if verdict.outcome is not Outcome.UNFIT and (verdict.faults or verdict.findings):
        verdict.outcome = Outcome.WRONG
    verdict.seconds = clock.spent
    return verdict


def _ask(rng: torch.Generator, guide: Guide, where: Problem, verdict: Verdict) -> None:
    latents, data = where.joint(rng, 1)
    ratings, draws = where.one(data, 0), torch.randint(2**40, (1,), generator=rng)
    first = asked(torch.Generator().manual_seed(int(draws)), guide, where.model, ratings)
    suspicious = [k for k, mean in enumerate(first) if mean.p_value * len(first) < SUSPICION]
    again = asked(rng, guide, where.model, ratings) if suspicious else []
    allowed = verdict.level / (2 * SUSPICION)
    found = [again[k] for k in suspicious
             if again[k].p_value / 2 * len(suspicious) < allowed and again[k].z * first[k].z > 0]
    verdict.findings = [described(mean, where.name) for mean in sorted(found, key=lambda m: -abs(m.z))]
    verdict.tested = [{"problem": where.name, "replicates": guide.samples[0], "functions": len(first),
                       "unit": "samples"}]
    verdict.scores = {where.name: [{"quantity": m.question, "where": m.where, "place": max(-99.0, min(99.0, m.z)),
                                    "spread": None, "sd": None} for m in again or first]}


def asked(rng: torch.Generator, guide: Guide, model: Model, data: Data) -> list[Mean]:
    """Every question, and its answer."""
    found = kept("questions", lambda: [dict(vars(mean)) for mean in questions(rng, guide, model, data)], rng)
    return [Mean(**mean) for mean in found]


def _told(rng: torch.Generator, guide: Guide, where: Problem, clock: Budget, level: float) -> list[str]:
    """How good its fits are, where that is no part of the verdict and there is time for it."""
    assert guide.quality
    try:
        return guide.quality(rng, where, clock, level)
    except Spent:
        return ["the budget ends before its fits are looked at: how good they are is not told"]


def described(mean: Mean, where: str) -> Finding:
    value, n = float(mean.difference.mean()), len(mean.difference)
    sd = float(mean.difference.std()) or abs(value)
    return Finding(mean.question, mean.where, "too large" if value > 0 else "too small", value / sd,
                   max(-999.0, min(999.0, mean.z)), value, 0.0, f"{where}, {n:,} samples")


def _fit(rng: torch.Generator, guide: Guide, where: Problem, verdict: Verdict, fits: int) -> None:
    """Fits on several data sets, until most of them say the same."""
    answers = where.answers
    assert answers, f"nothing is known of a fit on the {where.name}"
    short: list[float] = []  # of what its own family can be made
    poor: list[float] = []  # of a normal for every entry
    told: list[tuple[float, float]] = []
    while len(told) < fits and max(len(short), len(told) - len(short)) <= fits / 2:
        tick(f"fit {len(told) + 1}")
        truth, data = where.joint(rng, 1)
        model, ratings = where.model, where.one(data, 0)
        params = {name: x.detach() for name, x in guide.fit(rng, model, ratings).items()}
        value, draws = drawn(rng, guide, model, ratings, params)
        nats, error = lacking(answers, ratings, draws, value)
        told.append(quality(model, value, draws, take(truth, 0)))
        if not nats <= max(NATS, 6 * error):
            gained = further(rng, guide, model, ratings, params) - float(value.mean()) if guide.own else 0.0
            if not gained <= max(NATS, 6 * error):
                short.append(gained)
            else:
                poor.append(nats)
    if told:
        verdict.warnings.append(said(told, answers.compared))
    if 2 * len(short) > fits:
        verdict.faults.append(f"UNDER-FITTED: its own fit lacks {max(short):.1f} nats that longer steps on its own "
                              f"objective find in its own family, on {len(short)} of {len(told)} data sets")
    elif 2 * len(poor) > fits:
        verdict.warnings.append(
            f"poor: the best fit found in its family lacks {max(poor):.1f} nats of what coordinate ascent makes of the "
            f"same means and variances" + (", or its gradient by the score function (it has no rsample) is too noisy "
                                           "for the fit made here" if guide.noisy() else "")
            + "; that is how good the family is, not whether it is right")


def drawn(rng: torch.Generator, guide: Guide, model: Model, data: Data, params: Params) -> tuple[Tensor, Latents]:
    """log p - log q of every draw of a fit, and the draws."""
    draws = {site: x.detach() for site, x in guide.sample(params, noise(rng, model, 4 * guide.samples[0])).items()}
    return log_ratio(guide, model, data, params, draws), draws


def further(rng: torch.Generator, guide: Guide, model: Model, data: Data, params: Params) -> float:
    """The best ELBO, in nats, that longer steps on the guide's own objective find from its fit and from its start."""
    starts = params, guide.start(rng, model, data)
    fits = (guide.further({name: x.detach() for name, x in start.items()})(rng, model, data) for start in starts)
    return max(float(drawn(rng, guide, model, data, {name: x.detach() for name, x in fit.items()})[0].mean())
               for fit in fits)


def quality(model: Model, log_ratio: Tensor, draws: Latents, truth: Latents) -> tuple[float, float]:
    """k-hat and coverage of one fit: log p - log q of every draw, the draws, and the latents behind the data."""
    _, shape = import_arviz().psislw(log_ratio.numpy())
    drawn, true = (torch.cat(list(model.quantities(x).values()), -1) for x in (draws, truth))
    low, high = torch.quantile(drawn, torch.tensor([0.05, 0.95], dtype=drawn.dtype), 0)
    return float(shape), float(((low <= true) & (true <= high)).double().mean())


def said(found: list[tuple[float, float]], compared: str) -> str:
    """A sentence about all fits; `compared` names the quantities."""
    shape = max(k for k, _ in found)
    share = sum(c for _, c in found) / len(found)
    return (f"of the fits: PSIS k-hat {shape:.2f}"
            + (f" (above {POOR}: weights cannot turn q into the posterior)" if shape > POOR else "")
            + f"; q's 90% intervals hold {share:.0%} of the {compared}; both tell how good q is, "
            f"not whether it is right")
