"""The figures of a comparison: every result on every scale, and how fast each came to its quality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from views.figures import plain_log, save, styles, title

TWO = 2.0  # standard errors in an error bar
FAR = 4.0  # ranges of the middle half, from it, for a value to be left outside the frame
MOST = 16  # lines that a reader can tell apart


@dataclass(frozen=True)
class Panel:
    """One scale: a value of every result and its standard error, None where it has none; and where right is."""

    label: str
    values: Sequence[float | None]
    errors: Sequence[float | None]
    log: bool = False
    right: float | None = None


@dataclass(frozen=True)
class Way:
    """Test NLL (steps,) of a result against seconds of fitting (steps,), and when it reached the quality."""

    line: str
    method: str
    seconds: np.ndarray
    nll: np.ndarray
    reached: float | None


def overview(folder: Path, lines: Sequence[str], methods: Sequence[str], panels: Sequence[Panel], ranked_by: str
             ) -> Path:
    """One line a result, or the runs of several seeds, in order of rank; one panel a scale that has something to show.

    lines, methods  of every result, as in the panels
    """
    panels = [p for p in panels if sum(value is not None for value in p.values) > (p.right is not None)]
    columns = min(len(panels), 4)
    names = list(dict.fromkeys(lines))
    place = [len(names) - 1 - names.index(line) for line in lines]
    height = -(-len(panels) // columns)
    figure, grid = plt.subplots(height, columns, figsize=(2.6 + 2.5 * columns, height * (1.5 + 0.22 * len(names))),
                                sharey=True, squeeze=False)
    style = styles(dict.fromkeys(methods))
    for axis, panel in zip(grid.ravel(), panels, strict=False):
        for y, method, value, error in zip(place, methods, panel.values, panel.errors, strict=True):
            if value is not None and np.isfinite(value):
                axis.errorbar(value, y, xerr=None if error is None else TWO * error, markersize=5, capsize=2, lw=1,
                              color=style[method]["color"], marker=style[method]["marker"])
        if panel.log:
            plain_log(axis, "x")
        else:
            without_outliers(axis, panel.values)
        if panel.right is not None:
            axis.axvline(panel.right, color="0.4", lw=0.9, ls=":")
        axis.set_xlabel(panel.label, fontsize=8)
        axis.tick_params(labelsize=7, which="both")
    for axis in grid.ravel()[len(panels):]:
        axis.remove()
    grid[0, 0].set_yticks(np.arange(len(names))[::-1], names)
    grid[0, 0].set_ylim(-0.7, len(names) - 0.3)
    figure.suptitle(f"{len(lines)} results, ranked by {title(ranked_by).replace('nll', 'NLL')}, the best on top")
    return save(figure, folder / "comparison.png")


def without_outliers(axis: plt.Axes, values: Sequence[float | None]) -> None:
    """Where a value lies so far out that the others could not be told apart, the frame is about these, and what is
    beyond it is written at its edge."""
    known = np.sort([v for v in values if v is not None and np.isfinite(v)])
    if len(known) < 3:
        return
    low, high = np.quantile(known, (0.25, 0.75))
    reach = FAR * max(high - low, 0.01 * abs(high), 1e-12)
    inside = known[(known >= low - reach) & (known <= high + reach)]
    if len(inside) == len(known):
        return
    span = max(inside[-1] - inside[0], reach / FAR)
    axis.set_xlim(inside[0] - 0.15 * span, inside[-1] + 0.35 * span)
    for side, beyond in (("left", known[known < inside[0]]), ("right", known[known > inside[-1]])):
        if len(beyond):
            at = {"left": 0.02, "right": 0.98}[side]
            axis.text(at, 0.02, "beyond: " + ", ".join(f"{v:.3g}" for v in beyond), ha=side, va="bottom", fontsize=6,
                      transform=axis.transAxes)


def quality(folder: Path, ways: Sequence[Way], target: float) -> Path | None:
    """Test NLL against seconds of fitting, down to the quality that the table's times are taken to."""
    lines = list(dict.fromkeys(way.line for way in ways))
    if not ways or len(lines) > MOST:
        return None
    figure, axis = plt.subplots(figsize=(8, 5))
    style, named = styles(lines, {way.line: way.method for way in ways}), set[str]()
    for way in ways:
        look = style[way.line]
        axis.plot(way.seconds, way.nll, label=None if way.line in named else way.line, lw=1.2, color=look["color"],
                  linestyle=look["linestyle"])
        named.add(way.line)
        if way.reached is not None:
            at = int(np.argmin(np.abs(way.seconds - way.reached)))
            axis.plot(way.reached, way.nll[at], markersize=5, color=look["color"], marker=look["marker"])
    axis.axhline(target, color="0.4", lw=0.9, ls=":", label=f"quality: {target:.4f}")
    ends = [way.nll[-1] for way in ways]
    low = min(min(ends), target)
    span = max(np.quantile(ends, 0.8) - low, 3 * abs(target - low), 0.02)
    axis.set_ylim(low - 0.08 * span, low + 1.8 * span)
    plain_log(axis, "x")
    axis.set(xlabel="seconds of fitting, of one chain (scoring not counted)",
             ylabel="test NLL (nats per rating; lower is better)")
    axis.set_title("How fast each predicts well (a mark where it reaches the quality)")
    figure.legend(loc="outside right upper", fontsize=7) if len(lines) > 6 else axis.legend(fontsize=7)
    return save(figure, folder / "quality.png")
