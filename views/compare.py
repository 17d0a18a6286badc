"""The figures of a comparison: every result on every scale, and how fast each came to its quality."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import LogLocator, NullFormatter

from inference.result import Result
from views.figures import plain_log, save, styles, title

Row = Mapping[str, Any]
TWO = 2.0  # standard errors in an error bar
MOST = 16  # lines that a reader can tell apart


@dataclass(frozen=True)
class Panel:
    """One scale: what is read of a row, how the axis is called, and where right is if that is known."""

    value: Callable[[Row], float | None]
    label: str
    log: bool = False
    right: float | None = None
    error: Callable[[Row], float | None] = lambda row: None


def per_rating(row: Row) -> float | None:
    return None if row["evidence"] is None or not row["num_train"] else row["evidence"] / row["num_train"]


PANELS = (
    Panel(lambda r: r["test_nll"], "test NLL\n(nats per rating)"),
    Panel(lambda r: r["gap"] or None, "test NLL above the best\n(nats per rating; bars: 2 s.e.)", log=True,
          error=lambda r: r["gap_error"]),
    Panel(lambda r: r["max_error"] or None, "largest error of a\nmarginal, against exact", log=True),
    Panel(per_rating, "evidence or its bound, each of\nits own model (nats per rating)"),
    Panel(lambda r: r["evidence_error"] if not r["exact"] or r["label"] != r["reference"] else None,
          "log evidence minus exact\n(nats)", right=0.0),
    Panel(lambda r: r["z"], "distance from the reference\n(Monte Carlo standard errors)", log=True, right=1.0),
    Panel(lambda r: r["sds"] if r["max_error"] is None else None, "distance from the reference\n(posterior sds)",
          log=True),
    Panel(lambda r: r["ess_per_second"], "effective samples of the worst\nprediction, per second", log=True),
    Panel(lambda r: r["seconds_to_quality"], "seconds to the\nsame quality", log=True),
    Panel(lambda r: r["seconds"], "seconds in all", log=True),
)


def overview(folder: Path, rows: Sequence[Row]) -> Path:
    """One line a result, in order of rank; one panel a scale, those with nothing to show left out."""
    panels = [p for p in PANELS if sum(p.value(r) is not None for r in rows) > (p.right is not None)]
    columns = min(len(panels), 4)
    lines = -(-len(panels) // columns)
    names = list(dict.fromkeys(r["series"] for r in rows)) if _over_seeds(rows) else [r["label"] for r in rows]
    place = np.array([len(names) - 1 - names.index(r["series"] if _over_seeds(rows) else r["label"]) for r in rows])
    figure, grid = plt.subplots(lines, columns, figsize=(2.6 + 2.5 * columns, lines * (1.5 + 0.22 * len(names))),
                                sharey=True, squeeze=False)
    style = styles(dict.fromkeys(r["name"] for r in rows))
    for axis, panel in zip(grid.ravel(), panels, strict=False):
        for y, row in zip(place, rows, strict=True):
            value, error = panel.value(row), panel.error(row)
            if value is not None and np.isfinite(value):
                axis.errorbar(value, y, xerr=None if error is None else TWO * error, markersize=5, capsize=2, lw=1,
                              color=style[row["name"]]["color"], marker=style[row["name"]]["marker"])
        if panel.log:
            log_scale(axis, "x")
        if panel.right is not None:
            axis.axvline(panel.right, color="0.4", lw=0.9, ls=":")
        axis.set_xlabel(panel.label, fontsize=8)
        axis.tick_params(labelsize=7, which="both")
    for axis in grid.ravel()[len(panels):]:
        axis.remove()
    grid[0, 0].set_yticks(np.arange(len(names))[::-1], names)
    grid[0, 0].set_ylim(-0.7, len(names) - 0.3)
    by = title(rows[0]["ranked_by"]).replace("nll", "NLL")
    figure.suptitle(f"{len(rows)} results, ranked by {by}, the best on top")
    return save(figure, folder / "comparison.png")


def _over_seeds(rows: Sequence[Row]) -> bool:
    """Whether these are the runs of a sweep over seeds, whose dots share a line."""
    return any("seed" in r["settings"] for r in rows) and len({r["series"] for r in rows}) < len(rows)


def log_scale(axis: plt.Axes, which: str) -> None:
    """A log scale along "x" or "y" whose ticks stay apart, over half a decade or over twenty."""
    low, high = getattr(axis.dataLim, f"interval{which}")
    if high < 100 * low:
        plain_log(axis, which)
    else:
        side = getattr(axis, f"{which}axis")
        getattr(axis, f"set_{which}scale")("log")
        side.set_major_locator(LogLocator(numticks=6))
        side.set_minor_formatter(NullFormatter())


def quality(folder: Path, results: Sequence[tuple[Row, Result]]) -> Path | None:
    """Test NLL against seconds of fitting, down to the quality that the table's times are taken to."""
    shown = [(row, r) for row, r in results if "test_nll" in r.trace and r.steps > 1]
    key = "series" if _over_seeds([row for row, _ in shown]) else "label"
    lines = list(dict.fromkeys(row[key] for row, _ in shown))
    if not shown or len(lines) > MOST:
        return None
    figure, axis = plt.subplots(figsize=(8, 5))
    style, named, ends = styles(lines), set[str](), []
    for row, r in shown:
        values, look = r.trace["test_nll"].mean(0), style[row[key]]
        axis.plot(r.seconds.mean(0).cumsum(), values, label=None if row[key] in named else row[key], lw=1.2,
                  color=look["color"], linestyle=look["linestyle"])
        named.add(row[key])
        if row["seconds_to_quality"] is not None:
            at = int(np.argmin(np.abs(r.seconds.mean(0).cumsum() - row["seconds_to_quality"])))
            axis.plot(row["seconds_to_quality"], values[at], markersize=5, color=look["color"], marker=look["marker"])
        ends.append(values[-1])
    target = shown[0][0]["quality"]
    axis.axhline(target, color="0.4", lw=0.9, ls=":", label=f"quality: {target:.4f}")
    low = min(min(ends), target)
    span = max(np.quantile(ends, 0.8) - low, 3 * abs(target - low), 0.02)
    axis.set_ylim(low - 0.08 * span, low + 1.8 * span)
    plain_log(axis, "x")
    axis.set(xlabel="seconds of fitting, of one chain (scoring not counted)",
             ylabel="test NLL (nats per rating; lower is better)")
    axis.set_title("How fast each predicts well (a mark where it reaches the quality)")
    figure.legend(loc="outside right upper", fontsize=7) if len(lines) > 6 else axis.legend(fontsize=7)
    return save(figure, folder / "quality.png")
