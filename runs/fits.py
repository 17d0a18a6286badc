"""One fit of the factorization: which method with which options, for how long, scored on which sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data.ratings import Split
from errors import InputError, unknown
from inference import load
from inference.factorization.predictive import Predictive
from inference.job import Plan
from inference.method import Family, Latents, Method
from inference.options import option as typed
from inference.result import Result
from models.ladder import make
from models.ratings import Pairs
from runs import folder
from runs.runner import Task

KEPT_PAIRS = 256  # whose predictions are kept draw by draw, for the diagnostics of chains
TOLERANCE = 1e-5  # of the residual: nats per rating that a sweep gains, or rating units that a point moves
EPOCHS = {Family.MCMC: 100, Family.VARIATIONAL: 50, Family.POINT: 50}  # at most; less where TOLERANCE is reached
EPOCHS_OF_SVI = 10  # as in the reference


@dataclass(frozen=True)
class Fit:
    """A method with the options it is to have; its name says which, where there are several."""

    method: Method
    options: Mapping[str, Any]


def parse(spec: str) -> Fit:
    """`name`, `file.py`, `file.py:Name`, or these with options: `coordinate_ascent:covariance=row`."""
    name = spec.partition("=")[0].rpartition(":")[0] if "=" in spec else spec
    words = spec[len(name) + 1 :]
    method = load.method("factorization", name)
    options = {}
    for word in filter(None, words.split(",")):
        option, equals, value = word.partition("=")
        if not equals:
            raise InputError(f"--method {spec}: after the colon come options like covariance=row, not '{word}'")
        options[option] = typed(method, option, value)
    suffix = [option if value is True else str(value) for option, value in options.items() if value is not False]
    return Fit(replace(method, name="_".join([method.name, *suffix]).replace("/", "_")), options)


def of_guide(spec: str) -> str:
    """What `--guide` asks for, as `parse` reads it: `low_rank:columns=2` is guide_low_rank_pyro:columns=2."""
    name, _, words = spec.partition(":")
    if name.endswith(".py"):
        return spec
    known = load.guides()
    if name not in known:
        raise unknown("guide", name, known)
    return known[name] + (("," if "=" in known[name] else ":") + words if words else "")


def task(fit: Fit, parts: Split, rank: int, *, epochs: int | None, chains: int = 1, samples: int, seed: int,
         device: torch.device, place: Path = Path(), label: str = "", ask: Pairs | None = None,
         train_every: int = 1, model_name: str = "plain") -> Task:
    """The fit on `parts.train`, scored after every epoch on all three sets; 1 in `train_every` of the training set."""
    kept = parts.test if len(parts.test) else parts.train
    model = make(model_name, parts.train.num_users, parts.train.num_items, rank, pairs=kept.pairs, device=device)
    first = kept.user[:KEPT_PAIRS], kept.item[:KEPT_PAIRS]
    if epochs is not None and epochs < 1:
        raise InputError(f"--epochs must be at least 1, not {epochs}")
    steps = default_epochs(fit.method) if epochs is None else epochs
    warmup = steps // 5 if fit.method.family is Family.MCMC else 0
    plan = Plan(steps, chains, warmup, draws=0, tolerance=TOLERANCE, seed=seed)

    def record(latents: Latents) -> Latents:
        return model.quantities(latents, first)

    scored = parts.train.take(torch.arange(0, len(parts.train), train_every, device=parts.train.device))
    sets = {"train": scored, "validation": parts.validation, "test": parts.test}
    observer = Predictive(model, sets, fit.method.family, samples=samples, ask=ask)
    return Task(fit.method, model, parts.train, plan, fit.options, place, label, observer, record)


def default_epochs(method: Method) -> int:
    """Stochastic gradients (methods with a learning rate or a recipe) stop by the clock, the others when settled."""
    if method.family is Family.VARIATIONAL and {"lr", "recipe"} & method.options.keys():
        return EPOCHS_OF_SVI
    return EPOCHS.get(method.family, 1)


def entry(result: Result, rank: int, num_ratings: int) -> dict[str, Any]:
    """The fit's line of `summary.json`; NLLs and the ELBO in nats per rating of their set."""
    elbo = result.final("elbo")

    def said(name: str) -> float | None:
        return float(result.expected[name]) if name in result.expected else None

    return folder.method_entry(
        result, rank=rank, elbo_per_rating=None if elbo is None else elbo / num_ratings,
        **{name: said(name) for name in ("train_nll", "validation_nll", "test_nll", "test_rmse")},
        seconds_to_1_percent=seconds_to(result, 0.01))


def seconds_to(result: Result, share: float) -> float | None:
    """Seconds of fitting until the ELBO (or what a point maximises) is within `share` of its best, relative."""
    name = next((n for n in ("elbo", "objective") if n in result.trace), None)
    if name is None:
        return None
    values = result.trace[name].mean(0)
    if not np.isfinite(values).any():
        return None
    best = np.nanmax(values)
    reached = int(np.argmax(values >= best - share * abs(best)))
    return float(result.seconds.mean(0)[: reached + 1].sum())


def by_name(results: Sequence[Result]) -> dict[str, Result]:
    return {result.name: result for result in results}
