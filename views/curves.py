"""The figure of a sweep: results against what was swept, a line for each of the rest, a band over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from views.figures import plain_log, save, styles

Bands = Mapping[str, Mapping[str, tuple[float, float, float]]]  # line -> value of x -> (mean, lowest, highest)


@dataclass(frozen=True)
class Panel:
    """One measure."""

    label: str
    bands: Bands
    log: bool = False


def by_setting(folder: Path, x: str, values: Mapping[str, float | None], panels: Sequence[Panel], seeds: int) -> Path:
    """One panel a measure, against the option `x`: its values as words, and as the numbers that they are if any."""
    place: dict[str, float] = {v: k if n is None else n for k, (v, n) in enumerate(values.items())}
    columns = min(len(panels), 3)
    height = -(-len(panels) // columns)
    figure, grid = plt.subplots(height, columns, figsize=(4.2 * columns, 3.3 * height + 0.9), squeeze=False)
    style = styles(dict.fromkeys(line for panel in panels for line in panel.bands))
    for axis, panel in zip(grid.ravel(), panels, strict=False):
        for line, points in panel.bands.items():
            at = sorted(points, key=lambda v: place[v])
            mean, low, high = (np.array([points[v][k] for v in at]) for k in range(3))
            across = [place[v] for v in at]
            axis.plot(across, mean, markersize=4, lw=1.3, label=line, **style[line])
            axis.fill_between(across, low, high, color=style[line]["color"], alpha=0.18, lw=0)
        axis.set(xlabel=x, ylabel=panel.label)
        if panel.log:
            plain_log(axis, "y")
        if None in values.values() or len(values) <= 12:
            axis.set_xticks(list(place.values()), list(values), fontsize=7)
    for axis in grid.ravel()[len(panels):]:
        axis.remove()
    handles = {word: line for axis in grid.ravel()[:len(panels)]
               for line, word in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=min(len(handles), 4),
                  fontsize=8)
    figure.suptitle(f"Against {x}" + (f": means over {seeds} seeds, bands from the lowest to the highest"
                                      if seeds > 1 else ""))
    return save(figure, folder / "curves.png")
