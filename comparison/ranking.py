"""Results as rows of one table: measured, set against a reference, and ranked where they can be.

Predictions (NLL, RMSE) are ranked where training and test data are the same; evidence where the model is the same
too. The reference of a posterior (one model, one set of data) is its exact result, else the chains with
the most effective samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np

from comparison import measures, saved
from comparison.row import Agreement, Row, Standing
from comparison.saved import Saved
from errors import InputError, unknown
from inference.diagnostics import JUDGES


@dataclass(frozen=True)
class Measure:
    """What results can be ranked by, and what those lack that cannot."""

    of: Callable[[Row], float | None]
    lacking: str
    higher: bool = False  # is better


MEASURES = {
    "test_nll": Measure(lambda r: r.scores.test_nll, "a finite test NLL"),
    "test_rmse": Measure(lambda r: r.scores.test_rmse, "a finite test RMSE"),
    "max_error": Measure(lambda r: r.agreement.max_error, "an exact result beside it"),
    "sds": Measure(lambda r: r.agreement.sds, "a reference beside it"),
    "evidence": Measure(lambda r: r.scores.evidence, "a bound of the evidence", higher=True),
    "ess_per_second": Measure(lambda r: r.scores.ess_per_second, "draws of predictions", higher=True),
    "seconds_to_quality": Measure(lambda r: r.standing.seconds_to_quality, "reached that quality"),
    "seconds": Measure(lambda r: r.seconds, "a finite time"),
}
DEFAULT = ("test_nll", "max_error", "sds", "seconds")  # the first that there is
TO_THE_EXACT, ROUNDING = ("max_error", "sds"), 1e-9  # distances from an exact result, and what is none
T = TypeVar("T")
BOUNDED = ("exact", "lower bound")  # evidence of these kinds can be ranked


def ranked(results: Sequence[Saved], by: str | None = None, quality: float | None = None) -> list[Row]:
    """A row for every result, in order of rank within each set of data.

    Errors: InputError for a ranking by what no result has, or by the evidence of different models.
    """
    if by is not None and by not in MEASURES:
        raise unknown("measure to rank by", by, MEASURES)
    if quality is not None and not np.isfinite(quality):
        raise InputError(f"--quality must be a finite number, not {quality}")
    if by == "evidence":
        for same in grouped(results, lambda s: s.target):
            saved.same_model(same)
    rows = [row for same in grouped(map(Row.of, results), lambda r: r.saved.law) for row in _against(same)]
    return [row for same in by_data(rows) for row in _placed(_timed(same, quality), by)]


def grouped(items: Iterable[T], key: Callable[[T], str]) -> list[list[T]]:
    """Those of one key together, in the order in which the keys come up."""
    found: dict[str, list[T]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return list(found.values())


def by_data(rows: Iterable[Row]) -> list[list[Row]]:
    """The rows of one set of data together."""
    return grouped(rows, lambda row: row.saved.target)


def reference(group: Sequence[Row]) -> Row | None:
    """The exact result, else the chains with the most effective samples; None where there is neither."""
    exact = [r for r in group if r.result.family == "exact" and r.estimate]
    exact.sort(key=lambda r: JUDGES.index(r.result.name) if r.result.name in JUDGES else len(JUDGES))
    chains = [r for r in group if r.result.family == "mcmc" and r.saved.draws is not None]
    chains.sort(key=lambda r: (-(r.scores.ess or 0), -kept(r)))
    return next(iter((*exact, *chains)), None)


def kept(row: Row) -> int:
    """Sweeps after warm-up, of all chains."""
    return len(row.result.seconds) * (row.result.steps - row.result.facts["warmup"])


def _against(group: Sequence[Row]) -> list[Row]:
    """Agreement of the results of one posterior with the reference among them."""
    judge = reference(group)
    return [row if judge is None else replace(row, agreement=_agreement(row, judge)) for row in group]


def _agreement(row: Row, judge: Row) -> Agreement:
    exact = judge.result.family == "exact"
    found = Agreement(judge.label, exact)
    if row.estimate and judge.estimate and row is not judge:
        far = measures.distance(row.estimate, judge.estimate)
        found = replace(found, z=far.z, worst=far.worst, sds=far.sds)
    ours, right = measures.marginals(row.result), measures.marginals(judge.result)
    if exact and ours is not None and right is not None:
        error = np.abs(ours - right)
        found = replace(found, max_error=float(error.max()), mean_error=float(error.mean()))
        if row.scores.evidence is not None and judge.result.log_evidence is not None:
            found = replace(found, evidence_error=row.scores.evidence - judge.result.log_evidence)
    return found


def finite(value: float | None) -> bool:
    """Whether it is there; a fit that diverged is shown, and never ranked."""
    return value is not None and bool(np.isfinite(value))


def aim(group: Sequence[Row]) -> Literal["NLL", "error", ""]:
    """What time is taken to: a test NLL, an error of the marginals, or nothing that these results have."""
    if any(r.scores.test_nll is not None for r in group):
        return "NLL"
    return "error" if any(measures.marginals(r.result) is not None for r in group) else ""


def _timed(group: Sequence[Row], quality: float | None) -> list[Row]:
    """Seconds to the same quality."""
    towards = aim(group)
    if quality is None and towards == "error":
        quality = measures.STANDARD_ERROR
    elif quality is None and towards == "NLL":
        best = min((r.scores.test_nll for r in group if r.scores.test_nll is not None and finite(r.scores.test_nll)),
                   default=np.nan)
        quality = best + measures.SHARE * abs(best)

    def seconds(row: Row) -> float | None:
        if quality is None or not towards:
            return None
        if towards == "NLL":
            return measures.seconds_to_nll(row.result, quality)
        z = row.agreement.z
        if z is not None and z > measures.DISAGREES and row.result.family == "mcmc":
            return None
        return measures.seconds_to_error(row.result, row.estimate, row.agreement.max_error, quality)

    return [replace(r, standing=Standing(quality, seconds(r))) for r in group]


def _placed(group: list[Row], by: str | None) -> list[Row]:
    """The rows of one set of data in order, with their place and their distance from the best."""
    by = by or next((b for b in DEFAULT if any(finite(MEASURES[b].of(r)) for r in group)), "seconds")
    measure = MEASURES[by]

    def score(row: Row) -> float:
        value = measure.of(row)
        if value is None or not finite(value) or (by == "evidence" and row.scores.evidence_kind not in BOUNDED):
            return np.inf
        if by in TO_THE_EXACT and row.result.family == "exact" and value < ROUNDING:
            return 0.0  # exact methods are not ranked by rounding
        return -value if measure.higher else value

    scores = {row.label: score(row) for row in group}
    if not np.isfinite(list(scores.values())).any():
        raise InputError(f"--by {by}: none of the results has {measure.lacking}; rank them by something else")
    group = sorted(group, key=lambda r: (scores[r.label], r.label))
    best = min(group, key=lambda r: nll if (nll := r.scores.test_nll) is not None and finite(nll) else np.inf)
    found = []
    for row in group:
        mine = scores[row.label]
        gap, error = measures.paired(best.result, row.result) or (None, None)
        place = 1 + sum(s < mine for s in scores.values()) if mine < np.inf else None
        found.append(replace(row, standing=replace(row.standing, ranked_by=by, place=place, gap=gap, gap_error=error)))
    return found
