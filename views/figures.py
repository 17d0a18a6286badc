"""What every figure shares: the look, saving, and one colour per method throughout a run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict

import matplotlib
import matplotlib.ticker

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axis import Axis

from files import whole

# Okabe and Ito (2008): distinct for colour-blind readers too.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000", "#F0E442")
MARKERS = "osD^vP*X"

plt.rcParams.update({
    "figure.dpi": 130, "figure.constrained_layout.use": True, "axes.grid": True, "grid.alpha": 0.3,
    "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "font.size": 9,
})


class Style(TypedDict):
    """How the lines of one method look."""

    color: str
    marker: str
    linestyle: str


def styles(names: Iterable[str]) -> dict[str, Style]:
    """Colour and marker by method, the same in every figure of a run."""
    return {name: {"color": PALETTE[k % len(PALETTE)], "marker": MARKERS[k % len(MARKERS)],
                   "linestyle": "-" if k < len(PALETTE) else "--"}
            for k, name in enumerate(names)}


def plain_log(axis: plt.Axes, which: str) -> None:
    """A log scale along "x", "y" or "xy" whose ticks read 0.2, 1, 30 and not powers of ten."""
    for name in which:
        getattr(axis, f"set_{name}scale")("log")
        side = getattr(axis, f"{name}axis")

        def between(value: float, _: int, side: Axis = side) -> str:
            low, high = side.get_view_interval()
            return f"{value:g}" if high < 50 * low and f"{value:e}"[0] in "235" else ""

        side.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
        side.set_minor_formatter(matplotlib.ticker.FuncFormatter(between))


def save(figure: plt.Figure, path: Path) -> Path:
    with whole(path) as aside:
        figure.savefig(aside, format=path.suffix[1:])
    plt.close(figure)
    return path


def title(name: str) -> str:
    """A method's name as a heading: `loopy_bp` -> loopy bp."""
    return name.replace("_", " ")
