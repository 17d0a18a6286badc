"""The verdict on a guide: what belongs together, asked twice, and whether it is fitted.

A question is suspicious at `SUSPICION` shared among all questions; fresh noise must say the same, with the same
sign, at level / (2 SUSPICION). So a right guide is called wrong with probability at most level / 2 by these.
The fit counts as lacking when it is more than a nat, and more than six standard errors, below coordinate
ascent from its own moments, on most of three data sets: a poor local optimum is not lacking, nor is bad luck once.

How good a fit is, is told for information, as it may be poor and yet right:

    k-hat       the shape of the tail of p / q over samples of q (PSIS; Yao et al. 2018); above 0.7, q is too unlike
                the posterior for weights to correct it
    coverage    the share of the model's true quantities (the means behind the ratings) in q's 90% intervals
"""

from __future__ import annotations

import time

import torch
from torch import Tensor

from checks.guides.guide import Guide, noise
from checks.guides.questions import NATS, Mean, lacking, log_ratio, questions
from checks.kernels.judge import SUSPICION
from checks.kernels.kernel import Astray, Broken, blaming
from checks.problems.load import problem_set
from checks.problems.problem import Problem, ProblemSet, take
from checks.verdict import Finding, Outcome, Verdict
from inference.engine import one_thread
from inference.method import Latents
from models.model import Model

FITS = 3
POOR = 0.7  # a k-hat


def judge_guide(guide: Guide, problems: str | ProblemSet, *, seed: int = 0, level: float = 1e-3,
                budget: float = 300.0, fits: int = FITS) -> Verdict:
    """The verdict on a guide by the larger problem of a set, perhaps by its name."""
    started, rng = time.perf_counter(), torch.Generator().manual_seed(seed)
    verdict = Verdict(guide.name, Outcome.RIGHT, level, seed=seed)
    where = problem_set(problems).fitting()
    with one_thread():
        try:
            with blaming(guide.name):
                _ask(rng, guide, where, verdict)
                if not verdict.findings:
                    _fit(rng, guide, where, verdict, fits, started + budget)
        except Astray as error:
            verdict.faults.append(str(error))
        except Broken as error:
            verdict.unfit(str(error))
    if verdict.outcome is not Outcome.UNFIT and (verdict.faults or verdict.findings):
        verdict.outcome = Outcome.WRONG
    verdict.seconds = time.perf_counter() - started
    return verdict


def _ask(rng: torch.Generator, guide: Guide, where: Problem, verdict: Verdict) -> None:
    latents, data = where.joint(rng, 1)
    ratings, draws = where.one(data, 0), torch.randint(2**40, (1,), generator=rng)
    first = questions(torch.Generator().manual_seed(int(draws)), guide, where.model, ratings)
    suspicious = [k for k, mean in enumerate(first) if mean.p_value * len(first) < SUSPICION]
    again = questions(rng, guide, where.model, ratings) if suspicious else []
    allowed = verdict.level / (2 * SUSPICION)
    found = [again[k] for k in suspicious
             if again[k].p_value / 2 * len(suspicious) < allowed and again[k].z * first[k].z > 0]
    verdict.findings = [described(mean, where.name) for mean in sorted(found, key=lambda m: -abs(m.z))]
    verdict.tested = [{"problem": where.name, "replicates": guide.samples[0], "functions": len(first),
                       "unit": "samples"}]
    verdict.scores = {where.name: [{"quantity": m.question, "where": m.where, "place": max(-99.0, min(99.0, m.z)),
                                    "spread": None, "sd": None} for m in again or first]}


def described(mean: Mean, where: str) -> Finding:
    value, n = float(mean.difference.mean()), len(mean.difference)
    sd = float(mean.difference.std()) or abs(value)
    return Finding(mean.question, mean.where, "too large" if value > 0 else "too small", value / sd,
                   max(-999.0, min(999.0, mean.z)), value, 0.0, f"{where}, {n:,} samples")


def _fit(rng: torch.Generator, guide: Guide, where: Problem, verdict: Verdict, fits: int, until: float) -> None:
    answers = where.answers
    assert answers, f"nothing is known of a fit on the {where.name}"
    short: list[float] = []
    told: list[tuple[float, float]] = []
    asked = 0
    while asked < fits and max(len(short), asked - len(short)) <= fits / 2:  # until most have said so
        if time.perf_counter() > until:
            verdict.outcome, verdict.why = Outcome.UNKNOWN, "the budget ends before its fit has been looked at"
            break
        truth, data = where.joint(rng, 1)
        model, ratings = where.model, where.one(data, 0)
        params = {name: x.detach() for name, x in guide.fit(rng, model, ratings).items()}
        draws = {site: x.detach() for site, x in guide.sample(params, noise(rng, model, 4 * guide.samples[0])).items()}
        value = log_ratio(guide, model, ratings, params, draws)
        nats, error = lacking(answers, ratings, draws, value)
        told.append(quality(model, value, draws, take(truth, 0)))
        asked += 1
        if not nats <= max(NATS, 6 * error):
            short.append(nats)
    if told:
        verdict.warnings.append(said(told, answers.compared))
    if 2 * len(short) > fits and guide.noisy():
        verdict.outcome = Outcome.UNKNOWN
        verdict.why = (f"nothing is wrong with it as written, but its fit lacks {max(short):.1f} nats of coordinate "
                       f"ascent's, and a gradient by the score function (it has no rsample) may be too noisy for the "
                       f"fit made here")
    elif 2 * len(short) > fits:
        verdict.faults.append(f"UNDER-FITTED: the fitted ELBO lacks {max(short):.1f} nats that coordinate ascent finds "
                              f"from the same means and variances, on {len(short)} of {asked} data sets")


def quality(model: Model, log_ratio: Tensor, draws: Latents, truth: Latents) -> tuple[float, float]:
    """k-hat and coverage of one fit: log p - log q of every draw, the draws, and the latents behind the data."""
    import arviz

    _, shape = arviz.psislw(log_ratio.numpy())
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
