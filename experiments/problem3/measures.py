"""One run of Problem 3: a method on a model, scored on three sets; and what its chains say about themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data.ratings import Split
from errors import InputError
from inference.diagnostics import least_ess, worst_rhat
from inference.factorization.predictive import Predictive
from inference.job import Plan
from inference.method import Family, Latents
from inference.result import Result
from models.factorization import Factorization
from models.ratings import Pairs
from runs.fits import KEPT_PAIRS, TOLERANCE, Fit, default_epochs
from runs.runner import Task

POINT_SWEEPS = 300  # at most; a point stops when it has converged
LEVEL = 0.9  # of the predictive intervals whose coverage is counted


def task(fit: Fit, model: Factorization, parts: Split, plan: Plan, place: Path = Path(), label: str = "",
         samples: int = 100, ask: Pairs | None = None) -> Task:
    """The method on `parts.train`. `plan` is for chains; other methods run until they have converged."""
    kept = parts.test if len(parts.test) else parts.train
    model = replace(model, pairs=kept.pairs)
    first = kept.user[:KEPT_PAIRS], kept.item[:KEPT_PAIRS]
    nothing = parts.train.take(torch.arange(0, device=parts.train.device))
    if fit.method.family is not Family.MCMC:
        steps = POINT_SWEEPS if fit.method.family is Family.POINT else default_epochs(fit.method)
        plan = Plan(steps, tolerance=TOLERANCE, draws=0, seed=plan.seed)

    def record(latents: Latents) -> Latents:
        """What can be diagnosed: predictions, and the part of the log joint that the scorer does not know."""
        return {**model.quantities(latents, first), "log_prior": model.log_joint(latents, nothing)}

    sets = {"train": parts.train, "validation": parts.validation, "test": parts.test}
    if fit.method.family is Family.VARIATIONAL:
        del sets["train"]  # a hundred draws after every epoch would cost more than the fit; Problem 2 has it
    observer = Predictive(model, sets, fit.method.family, samples=samples, ask=ask)
    return Task(fit.method, model, parts.train, plan, fit.options, place, label, observer, record)


def log_joint(result: Result, num_ratings: int) -> np.ndarray:
    """log p(latents, r) of every kept draw, (chain, draw), nats: the prior's part and what the scorer saw of it."""
    likelihood = -num_ratings * result.trace["train_nll_last"][:, result.facts["warmup"] :: result.facts["thin"]]
    return result.draws["log_prior"] + likelihood[:, : result.draws["log_prior"].shape[1]]


def diagnose(result: Result, num_ratings: int) -> dict[str, float | None]:
    """R-hat and effective sample sizes of the predictions (the worst of them) and of the log joint.

    U and V are known only up to rotation, so theirs would mean nothing. None for what has no chains.
    """
    fields = ("rhat", "ess_bulk", "ess_tail", "ess_per_second", "rhat_log_joint", "ess_log_joint")
    if result.family != "mcmc" or "prediction" not in result.draws or result.draws["prediction"].shape[1] < 4:
        return dict.fromkeys(fields)
    x, joint = result.draws["prediction"], log_joint(result, num_ratings)[..., None]
    count = x.shape[0] * x.shape[1]  # what ArviZ counts for a prediction that never moves
    worst = least_ess(x, still=count)
    return dict(zip(fields, (
        worst_rhat(x), worst, least_ess(x, "tail", still=count),
        None if worst is None else worst / float(result.seconds.sum()),
        worst_rhat(joint), least_ess(joint, still=count),
    ), strict=True))


def coverage(result: Result, count: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of test ratings inside the central 90% of their predictive distribution, and how many; by bins of `count`.

    count    (test pairs,) training ratings of the user of each
    """
    pit = result.expected["test_pit"]
    inside = np.abs(pit - 0.5) <= LEVEL / 2
    place = np.digitize(count, edges) - 1
    sizes = np.array([(place == b).sum() for b in range(len(edges) - 1)])
    shares = np.array([inside[place == b].mean() if sizes[b] else np.nan for b in range(len(edges) - 1)])
    return shares, sizes


def apart(judge: Result, other: Result) -> dict[str, float]:
    """How far another method's predictive means are from the judge's, in the judge's posterior sds and rating units."""
    difference = np.abs(other.expected["test_mean"] - judge.expected["test_mean"])
    in_sd = difference / np.maximum(judge.expected["test_spread"], 1e-12)
    return {"median_sd": float(np.median(in_sd)), "p95_sd": float(np.quantile(in_sd, 0.95)),
            "rms": float(np.sqrt((difference**2).mean()))}


def scores(result: Result) -> Mapping[str, Any]:
    return {name: float(result.expected[name]) for name in ("train_nll", "validation_nll", "test_nll", "test_rmse")
            if name in result.expected}


def parse_ranks(text: str, num_items: int) -> list[int]:
    """'1-10', '1,2,5' or a mixture of them; 'none' is none."""
    if text == "none":
        return []
    found: list[int] = []
    for word in text.split(","):
        low, dash, high = word.partition("-")
        try:
            found += range(int(low), int(high if dash else low) + 1)
        except ValueError:
            raise InputError(f"--ranks must be like 1-10 or 1,2,5, or none, not '{text}'") from None
    if not found or min(found) < 1 or max(found) > num_items:
        raise InputError(f"--ranks must lie between 1 and the number of items, {num_items}, not '{text}'")
    return sorted(set(found))
