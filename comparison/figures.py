"""What the figures of a comparison show of its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from comparison.ranking import MEASURES, by_data
from comparison.report import over_seeds
from comparison.row import Row
from comparison.takeaway import goes, span
from views import compare as views
from views import curves

REPLICATES = ("seed", "data-seed")  # what a band is over
METHODS = ("method", "guide", "kernel")  # whose values the names of the results say as well
Read = Callable[[Row], float | None]


@dataclass(frozen=True)
class Scale:
    """What is read of a row, how its axis is called, and where right is if that is known."""

    value: Read
    label: str
    log: bool = False
    right: float | None = None
    error: Read = lambda row: None


def per_rating(row: Row) -> float | None:
    return None if row.scores.evidence is None or not row.num_train else row.scores.evidence / row.num_train


OVERVIEW = (
    Scale(lambda r: r.scores.test_nll, "test NLL\n(nats per rating)"),
    Scale(lambda r: r.standing.gap or None, "test NLL above the best\n(nats per rating; bars: 2 s.e.)", log=True,
          error=lambda r: r.standing.gap_error),
    Scale(lambda r: r.agreement.max_error or None, "largest error of a\nmarginal, against exact", log=True),
    Scale(per_rating, "evidence or its bound, each of\nits own model (nats per rating)"),
    Scale(lambda r: None if r.agreement.exact and r.label == r.agreement.reference else r.agreement.evidence_error,
          "log evidence minus exact\n(nats)", right=0.0),
    Scale(lambda r: r.agreement.z, "distance from the reference\n(Monte Carlo standard errors)", log=True, right=1.0),
    Scale(lambda r: r.agreement.sds if r.agreement.max_error is None else None,
          "distance from the reference\n(posterior sds)", log=True),
    Scale(lambda r: r.scores.ess_per_second, "effective samples of the worst\nprediction, per second", log=True),
    Scale(lambda r: r.standing.seconds_to_quality, "seconds to the\nsame quality", log=True),
    Scale(lambda r: r.seconds, "seconds in all", log=True),
)
SWEPT = (
    Scale(lambda r: r.scores.test_nll, "test NLL (nats per rating)"),
    Scale(lambda r: r.agreement.max_error or None, "largest error of a marginal, against exact", log=True),
    Scale(per_rating, "evidence, or its bound (nats per rating)"),
    Scale(lambda r: r.agreement.evidence_error, "log evidence minus exact (nats)"),
    Scale(lambda r: r.scores.ess_per_second, "effective samples per second", log=True),
    Scale(lambda r: r.standing.seconds_to_quality, "seconds to the same quality", log=True),
    Scale(lambda r: r.seconds, "seconds in all", log=True),
)


def draw(folder: Path, rows: Sequence[Row]) -> list[tuple[Path | None, str]]:
    """Every result on every scale, and how fast each came to its quality; of a sweep, against what was swept. Each with
    what it shows."""
    found: list[tuple[Path | None, str]] = []
    if len(by_data(rows)) == 1:
        panels = [views.Panel(s.label, [s.value(r) for r in rows], [s.error(r) for r in rows], s.log, s.right)
                  for s in OVERVIEW]
        by = rows[0].standing.ranked_by
        measured = {r.label: MEASURES[by].of(r) for r in rows}
        found = [(views.overview(folder, _lines(rows), [r.result.name for r in rows], panels, by),
                  f"Every result on every scale, the best on top: {by} {goes(measured)}."),
                 (_quality(folder, rows), "How fast each predicts well: the time to the same quality "
                  f"{goes({r.label: r.standing.seconds_to_quality for r in rows}, ' s')}.")]
    nll: dict[str, float | None] = {r.label: r.scores.test_nll for r in rows}
    seconds: dict[str, float | None] = {r.label: r.seconds for r in rows}
    said = f"the test NLL {goes(nll)}" if span(nll) else f"the time in all {goes(seconds, ' s')}"
    return [*found, (_by_setting(folder, rows), f"Over what was swept: {len(rows)} runs; {said}.")]


def _lines(rows: Sequence[Row]) -> list[str]:
    """Whose line each result is on: its own, or in a sweep over seeds that of all of its seeds."""
    shared = over_seeds(rows)
    return [r.series if shared else r.label for r in rows]


def _quality(folder: Path, rows: Sequence[Row]) -> Path | None:
    shown = [r for r in rows if "test_nll" in r.result.trace and r.result.steps > 1]
    ways = [views.Way(line, r.result.name, r.result.seconds.mean(0).cumsum(), r.result.trace["test_nll"].mean(0),
                      r.standing.seconds_to_quality) for line, r in zip(_lines(shown), shown, strict=True)]
    if shown and shown[0].standing.quality is not None:
        return views.quality(folder, ways, shown[0].standing.quality)
    return None


def _by_setting(folder: Path, rows: Sequence[Row]) -> Path | None:
    x, rest = axes_of([r.settings for r in rows])
    if x is None:
        return None
    values = list(dict.fromkeys(r.settings[x] for r in rows if x in r.settings))
    panels = [curves.Panel(scale.label, bands([(r.result.name, r.settings, scale.value(r)) for r in rows], x, rest),
                           scale.log) for scale in SWEPT]
    seeds = len({(r.result.seed, r.settings.get("data-seed")) for r in rows})
    return curves.by_setting(folder, x, {v: as_number(v) for v in values}, [p for p in panels if p.bands], seeds)


def axes_of(settings: Sequence[Mapping[str, str]]) -> tuple[str | None, list[str]]:
    """What goes along x: of the swept options but seeds, the numbers with most values; and what is left for lines.

    >>> axes_of([{"rank": "1", "seed": "0"}, {"rank": "2", "seed": "1"}])
    ('rank', [])
    """
    values = {n: list(dict.fromkeys(s.get(n) for s in settings)) for n in dict.fromkeys(n for s in settings for n in s)}
    free = [n for n, v in values.items() if len(v) > 1 and n not in REPLICATES]
    numeric = [n for n in free if all(as_number(v) is not None for v in values[n])]
    x = max(numeric, key=lambda n: len(values[n]), default=next((n for n in free if n not in METHODS), None)
            or next(iter(free), None))
    return x, [n for n in free if n != x and n not in METHODS]


def as_number(word: str | None) -> float | None:
    """What a word says, if that is a number."""
    try:
        return float(word or "")
    except ValueError:
        return None


def bands(points: Iterable[tuple[str, Mapping[str, str], float | None]], x: str, rest: Sequence[str]) -> curves.Bands:
    """Of (method, settings, value), over the seeds: line -> value of x -> (mean, lowest, highest)."""
    found: dict[str, dict[str, list[float]]] = {}
    for method, settings, y in points:
        if y is not None and np.isfinite(y) and x in settings:
            named = [] if x in METHODS else [method]
            line = ", ".join([*named, *(f"{n}={settings.get(n)}" for n in rest)])
            found.setdefault(line, {}).setdefault(settings[x], []).append(y)
    return {line: {at: (float(np.mean(ys)), min(ys), max(ys)) for at, ys in values.items()}
            for line, values in found.items()}
