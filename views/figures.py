"""What every figure shares: the look, saving, and one colour per method throughout a run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

# Okabe and Ito (2008): distinct for colour-blind readers too.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000", "#F0E442")
MARKERS = "osD^vP*X"

plt.rcParams.update({
    "figure.dpi": 130, "figure.constrained_layout.use": True, "axes.grid": True, "grid.alpha": 0.3,
    "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "font.size": 9,
})


def styles(names: Iterable[str]) -> dict[str, dict]:
    """Colour and marker by method, the same in every figure of a run."""
    return {name: {"color": PALETTE[k % len(PALETTE)], "marker": MARKERS[k % len(MARKERS)]}
            for k, name in enumerate(names)}


def save(figure: plt.Figure, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    plt.close(figure)
    return path


def title(name: str) -> str:
    """A method's name as a heading: `loopy_bp` -> loopy bp."""
    return name.replace("_", " ")
