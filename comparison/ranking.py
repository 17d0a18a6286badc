"""Saved results as rows of one table: measured, set against a reference, and ranked where they can be.

Predictions (NLL, RMSE) are ranked where training and test data are the same; evidence where the model is the same
too. The reference of a posterior (one model, one set of data) is its exact result, else the chains with
the most effective samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from comparison import measures, saved
from comparison.measures import Estimate
from comparison.saved import Saved
from errors import InputError

Row = dict[str, Any]
NAMES = {"test_nll": "a finite test NLL", "test_rmse": "a finite test RMSE", "max_error": "an exact result beside it",
         "sds": "a reference beside it", "evidence": "a bound of the evidence",
         "ess_per_second": "draws of predictions", "seconds_to_quality": "reached that quality",
         "seconds": "a finite time"}  # what results can be ranked by, and what they lack where they cannot
DEFAULT = ("test_nll", "max_error", "sds", "seconds")  # the first that there is
HIGHER = ("evidence", "ess_per_second")  # is better
BOUNDED = ("exact", "lower bound")  # evidence of these kinds can be ranked
JUDGES = ("strip", "brute_force", "variable_elimination_pgmpy")  # of exact results the first of these, then any


@dataclass
class Line:
    """A saved result with what is measured of it."""

    saved: Saved
    estimate: Estimate | None
    row: Row

    @classmethod
    def of(cls, one: Saved) -> Line:
        return cls(one, measures.estimate(one.result, one.draws), _alone(one, one.draws))


def lines(results: Sequence[Saved], by: str | None = None, quality: float | None = None) -> list[Line]:
    """A line for every result, in order of rank within each set of data.

    Errors: InputError for a ranking by what no result has, or by the evidence of different models.
    """
    if quality is not None and not np.isfinite(quality):
        raise InputError(f"--quality must be a finite number, not {quality}")
    if by == "evidence":
        for target in dict.fromkeys(s.target for s in results):
            saved.same_model([s for s in results if s.target == target])
    found = [Line.of(s) for s in results]
    for law in dict.fromkeys(s.law for s in results):
        _against([line for line in found if line.saved.law == law])
    return [line for target in dict.fromkeys(s.target for s in results)
            for line in _ranked([n for n in found if n.saved.target == target], by, quality)]


def _alone(one: Saved, draws: np.ndarray | None) -> Row:
    """What a result says by itself."""
    r, sizes = one.result, one.result.facts["data"]

    def score(name: str) -> float | None:
        return float(r.expected[name]) if name in r.expected else None

    elbo, seconds = r.final("elbo"), float(r.seconds.sum())
    ess = None if draws is None else measures.effective(draws, "bulk")
    worst = None if ess is None or np.isnan(ess).all() else float(np.nanmin(ess))
    return {
        "label": one.label, "series": one.series, "name": r.name, "by": r.by, "family": r.family, "path": str(one.path),
        "settings": dict(one.settings), "problem": one.problem, "model": r.facts["model"], "data": r.facts["data"],
        "rank": r.facts["model"].get("rank"), "seed": r.seed, "chains": len(r.seconds), "steps": r.steps,
        "samples": r.facts.get("samples") if r.family == "variational" else None,
        "seconds": seconds, "converged": r.converged,
        "num_train": sizes.get("train", {}).get("ratings"), "num_test": sizes.get("test", {}).get("ratings"),
        **{name: score(name) for name in ("train_nll", "validation_nll", "test_nll", "test_rmse")},
        "evidence": r.log_evidence if elbo is None else elbo,
        "evidence_kind": r.log_evidence_kind or (None if elbo is None else "lower bound"),
        "rhat": None if draws is None else measures.worst_rhat(draws),
        "ess": worst, "ess_per_second": None if worst is None else worst / seconds,
    }


def reference(group: Sequence[Line]) -> Line | None:
    """The exact result, else the chains with the most effective samples; None where there is neither."""
    exact = [n for n in group if n.saved.result.family == "exact" and n.estimate]
    exact.sort(key=lambda n: JUDGES.index(n.row["name"]) if n.row["name"] in JUDGES else len(JUDGES))
    chains = sorted((n for n in group if n.saved.draws is not None), key=lambda n: (-(n.row["ess"] or 0), -kept(n)))
    return next(iter((*exact, *chains)), None)


def kept(line: Line) -> int:
    """Sweeps after warm-up, of all chains."""
    return line.row["chains"] * (line.row["steps"] - line.saved.result.facts["warmup"])


def _against(group: Sequence[Line]) -> None:
    """Agreement of the results of one posterior with the reference among them."""
    judge = reference(group)
    for line in group:
        grid = line.row["problem"] == "grid"
        line.row |= dict.fromkeys(("reference", "exact", "z", "worst", "sds", "max_error", "mean_error",
                                   "evidence_error"))
        if judge is None:
            continue
        right = judge.saved.result
        line.row |= {"reference": judge.row["label"], "exact": right.family == "exact"}
        if line.estimate and judge.estimate and line is not judge:
            line.row |= measures.agreement(line.estimate, judge.estimate, counts=grid)
        if right.family == "exact" and grid and "labels" in line.saved.result.expected:
            error = np.abs(line.saved.result.expected["labels"] - right.expected["labels"])
            line.row |= {"max_error": float(error.max()), "mean_error": float(error.mean())}
            if line.row["evidence"] is not None and right.log_evidence is not None:
                line.row["evidence_error"] = line.row["evidence"] - right.log_evidence


def finite(value: float | None) -> bool:
    """Whether it is there; a fit that diverged is shown, and never ranked."""
    return value is not None and bool(np.isfinite(value))


def _ranked(group: list[Line], by: str | None, quality: float | None) -> list[Line]:
    """The lines of one set of data in order, with their place, their distance from the best and their time."""
    _timed(group, quality)
    by = by or next((b for b in DEFAULT if any(finite(n.row[b]) for n in group)), "seconds")
    sign = -1 if by in HIGHER else 1

    def score(line: Line) -> float:
        usable = finite(line.row[by]) and (by != "evidence" or line.row["evidence_kind"] in BOUNDED)
        return sign * line.row[by] if usable else np.inf

    scores = {line.row["label"]: score(line) for line in group}
    if not np.isfinite(list(scores.values())).any():
        raise InputError(f"--by {by}: none of the results has {NAMES[by]}; rank them by something else")
    group.sort(key=lambda n: (scores[n.row["label"]], n.row["label"]))
    best = min(group, key=lambda n: n.row["test_nll"] if finite(n.row["test_nll"]) else np.inf)
    for line in group:
        mine = scores[line.row["label"]]
        gap = measures.paired(best.saved.result, line.saved.result)
        line.row |= {"ranked_by": by, "place": 1 + sum(s < mine for s in scores.values()) if mine < np.inf else None,
                     "gap": gap and gap[0], "gap_error": gap and gap[1]}
    return group


def _timed(group: Sequence[Line], quality: float | None) -> None:
    """Seconds to the same quality: a test NLL, or of grids an error of the marginals."""
    nlls = [n.row["test_nll"] for n in group if finite(n.row["test_nll"])]
    for line in group:
        result, row = line.saved.result, line.row
        if row["problem"] == "grid":
            wanted = measures.STANDARD_ERROR if quality is None else quality
            wrong = row["z"] is not None and row["z"] > measures.DISAGREES
            time = None if wrong and row["family"] == "mcmc" else measures.seconds_to_error(
                result, line.estimate, row["max_error"], wanted)
        else:
            best = min(nlls, default=np.nan)
            wanted = best + measures.SHARE * abs(best) if quality is None else quality
            time = measures.seconds_to_nll(result, wanted)
        row |= {"quality": wanted, "seconds_to_quality": time}
