"""The figure of a verdict: how far every measured function is from where it should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from views.figures import save, shades

EXPECTED = 2.6  # |z| that one right score in a hundred exceeds
FAR = 4.5  # a z worth a label
LABELLED = 6
ABREAST = 3  # panels a row
Score = Mapping[str, Any]  # of one function, as the verdict has it: quantity, where, place, spread


def scores(path: Path, title: str, problems: Mapping[str, Sequence[Score]]) -> Path | None:
    """One panel a problem: z of every function, grouped by quantity; nothing where nothing was compared."""
    if not problems:
        return None
    columns, height = min(len(problems), ABREAST), -(-len(problems) // ABREAST)
    figure, panels = plt.subplots(height, columns, figsize=(5.5 * columns, 5.2 * height), squeeze=False, sharey=True)
    for panel in panels.ravel()[len(problems):]:
        panel.remove()
    for panel, (name, rows) in zip(panels.ravel(), problems.items(), strict=False):
        _panel(panel, rows)
        panel.set_title(name, fontsize=8)
        panel.set_xlabel("z (standard errors from 0)", fontsize=9)
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    figure.suptitle(title, fontweight="bold")
    return save(figure, path)


def _panel(panel: plt.Axes, rows: Sequence[Score]) -> None:
    quantities = list(dict.fromkeys(row["quantity"] for row in rows))[::-1]
    at = {quantity: k for k, quantity in enumerate(quantities)}
    lies, spread = shades(2)
    for key, colour, marker, label in (("place", lies, "o", "where it lies"),
                                       ("spread", spread, "|", "how spread out it is")):
        points = [(row[key], at[row["quantity"]]) for row in rows if row[key] is not None]
        if not points:  # of guides, only where it lies is asked
            continue
        x, y = np.array(points).T
        panel.scatter(x, y + (0.15 if key == "spread" else -0.15), s=14, color=colour, marker=marker, label=label)
    panel.axvspan(-EXPECTED, EXPECTED, color="0.9", zorder=0, label="99% of a right method's")
    worst = {row["quantity"]: row for row in sorted(rows, key=lambda row: abs(row["place"] or 0.0))}
    for row in sorted(worst.values(), key=lambda row: -abs(row["place"] or 0.0))[:LABELLED]:
        if abs(row["place"] or 0.0) > FAR:
            panel.annotate(row["where"], (row["place"], at[row["quantity"]] - 0.15), fontsize=6, ha="center",
                           xytext=(0, -9), textcoords="offset points")
    panel.set_yticks(range(len(quantities)), quantities, fontsize=7)
