"""The figure of a sweep: results against what was swept, a line for each of the rest, a band over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from views.compare import log_scale, per_rating
from views.figures import save, styles

Row = Mapping[str, Any]
REPLICATES = ("seed", "data-seed")  # what a band is over
METHODS = ("method", "guide", "kernel")  # whose values the names of the results say as well
PANELS = (
    (lambda r: r["test_nll"], "test NLL (nats per rating)", False),
    (lambda r: r["max_error"] or None, "largest error of a marginal, against exact", True),
    (per_rating, "evidence, or its bound (nats per rating)", False),
    (lambda r: r["evidence_error"], "log evidence minus exact (nats)", False),
    (lambda r: r["ess_per_second"], "effective samples per second", True),
    (lambda r: r["seconds_to_quality"], "seconds to the same quality", True),
    (lambda r: r["seconds"], "seconds in all", True),
)


def axes_of(rows: Sequence[Row]) -> tuple[str | None, list[str]]:
    """What goes along x: of the swept options but seeds, the numbers with most values; and what is left for lines."""
    values = {n: list(dict.fromkeys(r["settings"].get(n) for r in rows))
              for n in dict.fromkeys(n for r in rows for n in r["settings"])}
    free = [n for n, v in values.items() if len(v) > 1 and n not in REPLICATES]
    numeric = [n for n in free if all(number(v) is not None for v in values[n])]
    x = max(numeric, key=lambda n: len(values[n]), default=next((n for n in free if n not in METHODS), None)
            or next(iter(free), None))
    return x, [n for n in free if n != x and n not in METHODS]


def number(word: str | None) -> float | None:
    try:
        return float(word or "")
    except ValueError:
        return None


def bands(rows: Sequence[Row], x: str, rest: Sequence[str], value) -> dict[str, dict[str, tuple[float, float, float]]]:
    """line -> value of x -> (mean, lowest, highest) over the seeds."""
    found: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        y = value(row)
        if y is not None and np.isfinite(y) and x in row["settings"]:
            named = [] if x in METHODS else [row["name"]]
            line = ", ".join([*named, *(f"{n}={row['settings'].get(n)}" for n in rest)])
            found.setdefault(line, {}).setdefault(row["settings"][x], []).append(y)
    return {line: {at: (float(np.mean(ys)), min(ys), max(ys)) for at, ys in points.items()}
            for line, points in found.items()}


def by_setting(folder: Path, rows: Sequence[Row]) -> Path | None:
    """One panel a measure; None where nothing but seeds was swept."""
    x, rest = axes_of(rows)
    if x is None:
        return None
    shown = [(bands(rows, x, rest, value), label, log) for value, label, log in PANELS]
    shown = [panel for panel in shown if panel[0]]
    values = list(dict.fromkeys(r["settings"][x] for r in rows if x in r["settings"]))
    numbers = [number(v) for v in values]
    place: dict[str, float] = {v: k if n is None else n for k, (v, n) in enumerate(zip(values, numbers, strict=True))}
    columns = min(len(shown), 3)
    height = -(-len(shown) // columns)
    figure, grid = plt.subplots(height, columns, figsize=(4.2 * columns, 3.3 * height + 0.9), squeeze=False)
    style = styles(dict.fromkeys(line for lines, _, _ in shown for line in lines))
    for axis, (lines, label, log) in zip(grid.ravel(), shown, strict=False):
        for line, points in lines.items():
            at = sorted(points, key=lambda v: place[v])
            mean, low, high = (np.array([points[v][k] for v in at]) for k in range(3))
            where = [place[v] for v in at]
            axis.plot(where, mean, markersize=4, lw=1.3, label=line, **style[line])
            axis.fill_between(where, low, high, color=style[line]["color"], alpha=0.18, lw=0)
        axis.set(xlabel=x, ylabel=label)
        if log:
            log_scale(axis, "y")
        if None in numbers or len(values) <= 12:
            axis.set_xticks(list(place.values()), values, fontsize=7)
    for axis in grid.ravel()[len(shown):]:
        axis.remove()
    handles = {word: line for axis in grid.ravel()[:len(shown)]
               for line, word in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=min(len(handles), 4),
                  fontsize=8)
    seeds = max(len({(r["seed"], r["settings"].get("data-seed")) for r in rows}), 1)
    figure.suptitle(f"Against {x}" + (f": means over {seeds} seeds, bands from the lowest to the highest"
                                      if seeds > 1 else ""))
    return save(figure, folder / "curves.png")
