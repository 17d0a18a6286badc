"""What every figure shares: the look and saving."""

from __future__ import annotations

import io
from math import ceil, floor, log10
from pathlib import Path

import matplotlib
import matplotlib.ticker
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from files import whole
from views.style import PALETTE, begin, styles

__all__ = ["PALETTE", "begin", "plain_log", "save", "shades", "styles", "title"]

LARGEST = 600_000  # bytes of a vector figure; what has more points is a picture

MOST_TICKS = 7  # of whole decades

plt.rcParams.update({
    "svg.hashsalt": "crosscheck",  # the same bytes every time
    "figure.dpi": 130, "figure.constrained_layout.use": True, "figure.constrained_layout.h_pad": 0.1,
    "axes.grid": True, "grid.alpha": 0.3,
    "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "font.size": 9,
})


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


def shades(n: int) -> list[str]:
    """Colours of n things in order that are no methods: chains, numbers of factors. None is a method's."""
    return [matplotlib.colors.to_hex(each) for each in plt.get_cmap("viridis")(np.linspace(0, 0.85, max(1, n)))]


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
    """Write it, and beside it the same as lines (.svg) where it holds no picture and few points."""
    with whole(path) as aside:
        figure.savefig(aside, format=path.suffix[1:])
    figure.set_layout_engine("none")  # everything has its place, and to find it takes half the time
    if not any(axis.images for axis in figure.axes):
        _vector(figure, path.with_suffix(".svg"))
    plt.close(figure)
    return path


def _vector(figure: plt.Figure, path: Path) -> None:
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    if len(drawn.getvalue()) <= LARGEST:
        with whole(path) as aside:
            aside.write_text(drawn.getvalue(), encoding="utf-8")


def title(name: str) -> str:
    """A method's name as a heading: `loopy_bp` -> loopy bp."""
    return name.replace("_", " ")
