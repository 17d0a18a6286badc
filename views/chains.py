"""Traces of chains and how long they remember: one number of every draw, a row a method."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from views.figures import save, shades, title

LAGS = 100  # at most
POINTS = 1000  # of a trace that are drawn, at most


def traces(path: Path, numbers: Mapping[str, np.ndarray], what: str) -> Path | None:
    """By method (chain, draw): every chain's trace, and its autocorrelation; nothing where there are no chains."""
    if not numbers:
        return None
    figure, axes = plt.subplots(len(numbers), 2, figsize=(9, 1.7 * len(numbers) + 0.6), squeeze=False,
                                width_ratios=(2, 1))
    for (left, right), (name, x) in zip(axes, numbers.items(), strict=True):
        shown = np.linspace(0, x.shape[1] - 1, min(POINTS, x.shape[1])).astype(int)
        for c, line in enumerate(x):
            look: Any = {"color": shades(len(x))[c], "lw": 0.7}
            left.plot(shown + 1, line[shown], label=f"chain {c + 1}", **look)
            right.plot(autocorrelation(line, LAGS), **look)
        left.set_title(title(name), fontsize=8)
        left.set_ylabel(what, fontsize=7)
        right.axhline(0, color="0.4", ls=":", lw=1)
        right.set_ylim(-0.3, 1.05)
    axes[-1, 0].set_xlabel("draw")
    axes[-1, 1].set_xlabel("lag (draws)")
    axes[0, 1].set_title("autocorrelation", fontsize=8)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), fontsize=6, ncols=8, loc="outside upper left")
    return save(figure, path)


def autocorrelation(x: np.ndarray, most: int) -> np.ndarray:
    """rho_0 ... of one chain, up to lag `most`; of one that never moves 1 throughout.

    >>> autocorrelation(np.array([1.0, -1.0, 1.0, -1.0]), 1), autocorrelation(np.full(3, 0.1), 1)
    (array([ 1.  , -0.75]), array([1., 1.]))
    """
    centred, lags = x - x.mean(), range(min(most, len(x) - 1) + 1)
    if (x == x[0]).all():  # though its mean may be another number, by rounding
        return np.ones(len(lags))
    return np.array([centred[: len(x) - k] @ centred[k:] for k in lags]) / (centred @ centred)
