"""What Problem 1 has made of an image, as its report and its sentences read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from errors import InputError
from experiments.problem1.cases import Case
from inference import load
from inference.diagnostics import JUDGES, chains_of_labels
from inference.drive import drive
from inference.grid.strip import map_estimate
from inference.job import Plan
from inference.result import Result
from runs.records import Entry

CHEAP = 10**8  # steps of the strip recursion


@dataclass(frozen=True)
class Study:
    """An image, what every method made of it, and why some did not run."""

    case: Case
    results: Sequence[Result]
    refused: Mapping[str, str]
    exact: Result | None = None  # run to judge the others, where none of them is exact
    best: float | None = None  # log p~ of a most probable labelling, by the strip recursion, nats

    @property
    def least_upper(self) -> float | None:
        """What no labelling's log p~ exceeds, nats: the best itself, or the lowest bound that a method proved."""
        bounds = [b for r in self.results if (b := r.final("dual_bound")) is not None]
        return self.best if self.best is not None else min(bounds, default=None)

    @property
    def judge(self) -> Result | None:
        """The exact result that the others are held against."""
        return next((r for name in JUDGES for r in self.results if r.name == name), self.exact)

    @property
    def unjudged(self) -> str:
        """Why there is none."""
        try:
            load.method("grid", JUDGES[0]).init(torch.Generator(), self.case.model, None)
        except InputError:
            return "too large for one"
        return f"--method {JUDGES[0]} would take a while"


def exact(case: Case, results: Sequence[Result]) -> Result | None:
    """The strip recursion's answer where nobody asked for an exact one and it takes a second or so."""
    if any(r.name in JUDGES for r in results) or not cheap(case):
        return None
    return drive(load.method("grid", JUDGES[0]), case.model, None, Plan(1, draws=0))


def best(case: Case, results: Sequence[Result]) -> float | None:
    """log p~ of a most probable labelling by the strip recursion, where methods look for one and it is cheap."""
    if not any(r.family == "point" for r in results) or not cheap(case):
        return None
    return float(case.model.log_joint({"labels": map_estimate(case.model)}))


def cheap(case: Case) -> bool:
    """Whether the strip recursion takes a second or so."""
    H, W, K = case.model.shape
    return H * W * K ** (min(H, W) + 1) <= CHEAP


@dataclass(frozen=True)
class GridEntry(Entry):
    """A method's line of `summary.json` on one image."""

    image: str
    share_wrong: float | None  # of the pixels whose truth is known
    share_wrong_unobserved: float | None  # of those among them of which nothing was observed
    max_error: float | None  # of a marginal, against the judge
    mean_error: float | None
    oscillating: bool
    rhat: float | None
    ess: float | None
    log_evidence_se: float | None  # nats, where log_evidence is an estimate
    objective: float | None  # log p~ of a point's labelling, nats
    dual_bound: float | None  # what no labelling's exceeds, nats
    proved: float | None  # share of the pixels whose label every most probable labelling has
    below_best: float | None  # nats that the labelling lacks; at most, where the best is not known

    @classmethod
    def on(cls, study: Study, result: Result) -> Self:
        judge, marginals = study.judge, result.expected.get("labels")
        point, most = result.family == "point", study.least_upper
        error = None if judge is None or marginals is None or point else np.abs(marginals - judge.expected["labels"])
        objective = result.final("objective") if point else None
        return cls.of(result, image=study.case.name,
                      share_wrong=study.case.share_wrong(marginals),
                      share_wrong_unobserved=study.case.share_wrong(marginals, unobserved=True),
                      max_error=None if error is None else float(error.max()),
                      mean_error=None if error is None else float(error.mean()),
                      oscillating=bool(result.facts.get("oscillating")), **chains_of_labels(result),
                      log_evidence_se=result.final("log_evidence_se"), objective=objective,
                      dual_bound=result.final("dual_bound"), proved=result.final("proved"),
                      below_best=None if objective is None or most is None else max(most - objective, 0.0))
