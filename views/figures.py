"""What every figure shares: the look, saving, and one colour per method throughout a run."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, floor, log10
from pathlib import Path
from typing import TypedDict

import matplotlib
import matplotlib.ticker

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from files import whole

# Okabe and Ito (2008): distinct for colour-blind readers too.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000", "#F0E442")
MARKERS = "osD^vP*X"
MOST_TICKS = 7  # of whole decades

plt.rcParams.update({
    "figure.dpi": 130, "figure.constrained_layout.use": True, "figure.constrained_layout.h_pad": 0.1,
    "axes.grid": True, "grid.alpha": 0.3,
    "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "font.size": 9,
})


class Style(TypedDict):
    """How the lines of one method look."""

    color: str
    marker: str
    linestyle: str


_SLOTS: dict[str, int] = {}  # of the methods that have been drawn in this run


def begin(names: Iterable[str]) -> None:
    """The methods of a run, before its first figure; the same ones have the same colours in a comparison too."""
    _SLOTS.clear()
    styles(sorted(set(names)))


def styles(names: Iterable[str]) -> dict[str, Style]:
    """Colour and marker by method, the same in every figure of a run, whichever of its methods a figure shows."""
    slots = {name: _SLOTS.setdefault(name, len(_SLOTS)) for name in names}
    return {name: {"color": PALETTE[k % len(PALETTE)], "marker": MARKERS[k % len(MARKERS)],
                   "linestyle": "-" if k < len(PALETTE) else "--"} for name, k in slots.items()}


class Decimal(matplotlib.ticker.Locator):
    """Ticks of a log scale, two at least: 1 and 10, or 1, 3 and 10, or 0.62, 0.64 and 0.66 in a narrow range."""

    def __call__(self) -> list[float]:
        assert self.axis is not None
        return self.tick_values(*self.axis.get_view_interval())

    def tick_values(self, vmin: float, vmax: float) -> list[float]:
        """
        >>> Decimal().tick_values(0.05, 20), Decimal().tick_values(2.5, 7)
        ([0.1, 1.0, 10.0], [3.0, 5.0])
        """
        low, high = sorted((max(vmin, 1e-300), max(vmax, 1e-300)))
        decades = range(floor(log10(low)), max(ceil(log10(high)), floor(log10(low)) + 1) + 1)
        for step in range(1, len(decades)):
            every = [10.0**k for k in decades if k % step == 0]
            if len([x for x in every if low <= x <= high]) <= MOST_TICKS:
                break
        for digits in ((1,), (1, 3), (1, 2, 3, 5), range(1, 10)):
            found = [float(f"{d}e{k}") for k in decades for d in digits if low <= float(f"{d}e{k}") <= high
                     and (len(digits) > 1 or k % step == 0)]
            if len(found) >= 2:
                return found
        between = matplotlib.ticker.MaxNLocator(4).tick_values(low, high)
        return [float(x) for x in between if low <= x <= high]


def plain_log(axis: plt.Axes, which: str) -> None:
    """A log scale along "x", "y" or "xy" whose ticks read 0.2, 1, 30 and not powers of ten, two of them at least."""
    for name in which:
        getattr(axis, f"set_{name}scale")("log")
        side = getattr(axis, f"{name}axis")
        side.set_major_locator(Decimal())
        side.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
        side.set_minor_formatter(matplotlib.ticker.NullFormatter())


def small_multiples(n: int, ticks: bool = False) -> tuple[plt.Figure, list[plt.Axes]]:
    """n panels, four in a row."""
    columns = min(n, 4)
    rows = -(-n // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(max(2.6 * columns + 0.6, 5.5), 2.8 * rows + 0.7), squeeze=False)
    axes = list(grid.ravel())
    for axis in axes[n:]:
        axis.remove()
    if not ticks:
        for axis in axes[:n]:
            axis.set(xticks=[], yticks=[])
            axis.grid(False)
            axis.spines[:].set_visible(False)
    return figure, axes[:n]


def save(figure: plt.Figure, path: Path) -> Path:
    with whole(path) as aside:
        figure.savefig(aside, format=path.suffix[1:])
    plt.close(figure)
    return path


def title(name: str) -> str:
    """A method's name as a heading: `loopy_bp` -> loopy bp."""
    return name.replace("_", " ")
