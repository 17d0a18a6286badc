"""The tables of a comparison: what each result is worth, what it rests on, and means over the seeds of a sweep."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from comparison.ranking import MEASURES, aim, grouped
from comparison.row import Row
from views.numbers import decimals, rhat, three, whole
from views.tables import Table

SIGNS = {"exact": "", "lower bound": ">= ", "upper bound": "<= "}  # before an evidence; ~ where it is neither
AIMS = {"NLL": ", and to an NLL of ", "error": ", and to an error of ", "": ""}


def tables(rows: Sequence[Row]) -> list[Table]:
    """One set of data, in order of rank."""
    if over_seeds(rows):
        return [averages(rows)]
    beside = [r for r in rows if r.agreement.z is not None or r.agreement.sds is not None or r.scores.ess is not None]
    return [worth(rows), *([agreement(beside)] if beside else [])]


def over_seeds(rows: Sequence[Row]) -> bool:
    """Whether these are the runs of a sweep over seeds, which share a line."""
    return len({r.series for r in rows}) < len(rows) and any("seed" in r.settings for r in rows)


def worth(rows: Sequence[Row]) -> Table:
    """What each result is worth."""
    first, towards = rows[0].standing, aim(rows) if any(r.standing.seconds_to_quality for r in rows) else ""
    until = AIMS[towards] + (f"{first.quality:.4g}" if towards else "")
    return Table(
        f"{heading(rows)}; ranked by {first.ranked_by}; seconds in all{until}",
        ("place", "result", "by", "test NLL", "above the best", "train NLL", "RMSE", "max error", "mean error",
         "evidence", "seconds", "to quality"),
        [(r.standing.place, r.label, r.result.by, decimals(r.scores.test_nll), _gap(r), decimals(r.scores.train_nll),
          decimals(r.scores.test_rmse), r.agreement.max_error, r.agreement.mean_error, _evidence(r, r.scores.evidence),
          three(r.seconds), three(r.standing.seconds_to_quality)) for r in rows],
        spare=("by", "train NLL", "mean error", "to quality", "RMSE", "evidence", "above the best"))


def agreement(rows: Sequence[Row]) -> Table:
    """What each result rests on."""
    return Table(
        "Agreement with the reference, in Monte Carlo standard errors (1 is chance) and in posterior sds; chains, by "
        "their worst prediction",
        ("result", "reference", "z", "worst z", "sds", "R-hat", "ESS", "ESS/s"),
        [(r.label, "itself" if r.agreement.reference == r.label else r.agreement.reference, three(r.agreement.z),
          three(r.agreement.worst), three(r.agreement.sds), rhat(r.scores.rhat), whole(r.scores.ess),
          three(r.scores.ess_per_second)) for r in rows], spare=("worst z", "ESS/s", "reference", "ESS"))


def averages(rows: Sequence[Row]) -> Table:
    """The same over the seeds of a sweep: a line for each of the rest, in order of the mean."""
    by = rows[0].standing.ranked_by
    lines: list[tuple[float, tuple[object, ...]]] = []
    for group in grouped(rows, lambda r: r.series):
        score, ends = _mean(group, by), sorted(nll for r in group if (nll := r.scores.test_nll) is not None)
        lines.append((np.inf if score is None else -score if MEASURES[by].higher else score, (
            group[0].series, len(group), decimals(_mean(group, "test_nll")),
            f"{ends[0]:.4f} to {ends[-1]:.4f}" if ends else None, decimals(_mean(group, "test_rmse")),
            _mean(group, "max_error"), _evidence(group[0], _mean(group, "evidence")),
            *(three(_mean(group, name)) for name in ("ess_per_second", "seconds", "seconds_to_quality")))))
    lines.sort(key=lambda line: line[0])
    return Table(f"{heading(rows)}; means over seeds, by {by} (comparison.json has every run)",
                 ("result", "runs", "test NLL", "lowest, highest", "RMSE", "max error", "evidence", "ESS/s", "seconds",
                  "to quality"), [line for _, line in lines],
                 spare=("ESS/s", "to quality", "RMSE", "runs", "lowest, highest", "evidence"))


def _mean(group: Sequence[Row], name: str) -> float | None:
    """The mean of a measure; None where one of them lacks it."""
    of: Callable[[Row], float | None] = MEASURES[name].of
    values = [value for r in group if (value := of(r)) is not None]
    return float(np.mean(values)) if len(values) == len(group) else None


def heading(rows: Sequence[Row]) -> str:
    """What the results are of; where that is no ratings, the settings of a sweep that all of them share."""
    first = rows[0]
    if first.num_train is not None:
        kind = " of levels, whose probabilities are scored" if first.saved.discrete else ""
        at = " at their own times" if first.saved.timed else ""
        return (f"{first.num_train:,} ratings{kind} to train on, {first.num_test or 0:,} to test{at}; NLL and evidence "
                f"in nats per rating")
    shared = [f"{n}={v}" for n, v in first.settings.items() if all(r.settings.get(n) == v for r in rows)]
    model = first.saved.model
    size = (f"{model['height']} x {model['width']} grid, {model['labels']} labels"
            if {"height", "width", "labels"} <= model.keys() else str(model.get("class", first.saved.problem)))
    return ", ".join([size, *shared])


def _gap(row: Row) -> str | None:
    """How far above the best test NLL, with its standard error over the test ratings."""
    gap = row.standing.gap
    return f"+{gap:.4f} ({row.standing.gap_error:.4f})" if gap else None


def _evidence(row: Row, value: float | None) -> str | None:
    """Of ratings in nats per rating; else in nats; >= a lower bound, <= an upper one, ~ neither."""
    if value is None:
        return None
    sign = SIGNS.get(row.scores.evidence_kind or "", "~ ")
    return sign + (f"{value / row.num_train:.4f}" if row.num_train else f"{value:.9g}")
