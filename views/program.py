"""Figures of any model: marginals of all methods over each other, intervals, pairs, chains, predictions.

`draws` are those of every number by method, (chain, draw, n); `names` of the numbers, `order` those that differ most
between the methods first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from inference.result import import_arviz
from views.figures import save, shades, styles, title

PANELS, ROWS, SHOWN = 12, 16, 3  # numbers in the marginals, in the forest, and of chains
WIDE = (0.001, 0.999)  # quantiles that a panel shows
NEEDLE = 3.0  # times the reference's peak, or the median one: what a panel shows of a narrower density
FEW = 12  # distinct values, up to which a number is drawn as bars
MOST = 100  # up to which whole numbers have each its share, and beyond it a density
BINS = 20  # of ranks
POINTS = 1000  # of a cloud
REPLICATES = 50  # lines

Draws = Mapping[str, np.ndarray]


def marginals(folder: Path, draws: Draws, names: Sequence[str], order: Sequence[int], reference: str | None,
              prior: np.ndarray | None) -> Path:
    """The density of every number by every method, the reference's filled, the prior's dashed."""
    shown = order[:PANELS]
    columns = min(4, len(shown))
    rows = ceil(len(shown) / columns)
    figure, axes = plt.subplots(rows, columns, figsize=(3.2 * columns, 2.4 * rows + 0.6), squeeze=False)
    for axis in axes.flat[len(shown):]:
        axis.axis("off")
    for axis, k in zip(axes.flat, shown, strict=False):
        _marginal(axis, {name: x[..., k].ravel() for name, x in draws.items()}, reference,
                  None if prior is None else prior[:, k])
        axis.set(xlabel=names[k], yticks=[])
    handles = {label: handle for axis in axes.flat
               for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4)
    which = "where the methods differ most" if reference else "the first"
    figure.suptitle("Marginal posteriors" + (f", {which}: {len(shown)} of {len(order)}"
                                             if len(shown) < len(order) else ""))
    return save(figure, folder / "marginals.png")


def _marginal(axis: plt.Axes, draws: Mapping[str, np.ndarray], reference: str | None, prior: np.ndarray | None) -> None:
    spread = {name: x for name, x in draws.items() if len(x) > 1} or dict(draws)
    values = np.unique(np.concatenate(list(spread.values())))
    whole = bool((values == values.round()).all())
    bars = whole and len(values) <= FEW
    shape = _shares_of if whole and np.ptp(values) <= MOST else _density
    low, high = limits(spread, reference)
    peaks: dict[str, float] = {}
    for n, (name, x) in enumerate(draws.items()):
        look = styles([name])[name]
        if len(x) == 1:
            axis.axvline(float(x[0]), color=look["color"], ls=":", label=title(name))
        elif bars:
            axis.bar(values + 0.8 * (n + 0.5) / len(draws) - 0.4, [(x == v).mean() for v in values],
                     0.8 / len(draws), color=look["color"], label=title(name))
        else:
            grid, density = shape(x, low, high)
            peaks[name] = float(density.max())
            axis.plot(grid, density, color=look["color"], ls=look["linestyle"], lw=1.6, label=title(name))
            if name == reference:
                axis.fill_between(grid, density, color=look["color"], alpha=0.15, lw=0)
    if prior is not None and not bars:
        grid, density = shape(prior, low, high)
        axis.plot(grid, density, color="0.5", ls="--", lw=1, label="prior")
    if whole:
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    if bars:
        axis.set_xticks(values)
    elif high > low:
        axis.set_xlim(low - 0.1 * (high - low), high + 0.1 * (high - low))
        usual = peaks.get(reference or "", float(np.median(list(peaks.values() or [0.0]))))
        if usual > 0:
            axis.set_ylim(0, 1.05 * min(max(peaks.values()), NEEDLE * usual))


def limits(draws: Draws, reference: str | None, ends: tuple[float, float] = WIDE) -> tuple[float, float]:
    """Between these quantiles of the reference, or the medians of the methods', and of whatever method lies within
    three times that: one that has failed does not stretch the axis."""
    found = {name: np.quantile(x, ends) for name, x in draws.items()}
    low, high = found[reference] if reference in found else np.median(list(found.values()), 0)
    near = [x for x in found.values() if x[0] >= low - (high - low) and x[1] <= high + (high - low)]
    return float(min([low, *(x[0] for x in near)])), float(max([high, *(x[1] for x in near)]))


def _density(x: np.ndarray, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """By ArviZ's kernel estimate, of those that lie near what is shown, scaled to their share."""
    wide = high - low
    near = x[(x >= low - wide) & (x <= high + wide)]
    if len(near) < 2 or near.min() == near.max():
        return np.array([low, high]), np.zeros(2)
    grid, density = import_arviz().kde(near)
    return grid, density * len(near) / len(x)


def _shares_of(x: np.ndarray, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """The share of each whole number."""
    grid = np.arange(np.floor(low), np.ceil(high) + 1)
    return grid, np.array([(x == value).mean() for value in grid])


def forest(folder: Path, draws: Draws, names: Sequence[str], order: Sequence[int], reference: str | None) -> Path:
    """Means with 50% and 90% intervals, in posterior standard deviations from the reference's mean, or as they are."""
    shown = sorted(order[:ROWS])
    figure, axis = plt.subplots(figsize=(7, 1.4 + 0.14 * len(shown) * (len(draws) + 1)))
    centre, unit = np.zeros(len(names)), np.ones(len(names))
    if reference:
        centre, unit = draws[reference].mean((0, 1)), draws[reference].std((0, 1))
        unit = np.where(unit > 0, unit, 1.0)
    ends: dict[str, np.ndarray] = {}
    for n, (name, x) in enumerate(draws.items()):
        look, y = styles([name])[name], -np.arange(len(shown)) * (len(draws) + 1.0) - n
        scaled = (x[..., shown].reshape(-1, len(shown)) - centre[shown]) / unit[shown]
        for (low, high), wide in (((0.05, 0.95), 1.0), ((0.25, 0.75), 3.0)):
            axis.hlines(y, np.quantile(scaled, low, 0), np.quantile(scaled, high, 0), color=look["color"], lw=wide)
        axis.plot(scaled.mean(0), y, look["marker"], color=look["color"], ms=4, label=title(name))
        ends[name] = np.quantile(scaled, (0.05, 0.95), 0).ravel()
    left, right = limits(ends, reference, (0.0, 1.0))
    if right > left:
        axis.set_xlim(left - 0.05 * (right - left), right + 0.05 * (right - left))
    axis.set_yticks(-np.arange(len(shown)) * (len(draws) + 1.0) - (len(draws) - 1) / 2, [names[k] for k in shown])
    axis.set(xlabel=f"posterior sds from the mean of {title(reference)}" if reference else "value",
             title="Means, with 50% and 90% intervals")
    figure.legend(loc="outside lower center", ncols=3, fontsize=7)
    return save(figure, folder / "forest.png")


def pairs(folder: Path, draws: Draws, names: Sequence[str], two: Sequence[int], reference: str | None) -> Path:
    """The two numbers on which the methods differ most, a panel a method, over the reference's cloud."""
    clouds = {name: x for name, x in draws.items() if name != reference and x[..., 0].size > 1} or dict(draws)
    figure, axes = plt.subplots(1, len(clouds), figsize=(3.1 * len(clouds), 3.4), squeeze=False, sharex=True,
                                sharey=True)
    for axis, (name, x) in zip(axes[0], clouds.items(), strict=True):
        if reference:
            axis.plot(*_cloud(draws[reference], two), ".", color=styles([reference])[reference]["color"], ms=2,
                      alpha=0.25, label=title(reference))
        axis.plot(*_cloud(x, two), ".", color=styles([name])[name]["color"], ms=2, label=title(name))
        axis.set(xlabel=names[two[0]])
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, 1.2), fontsize=7, markerscale=4)
    axes[0, 0].set_ylabel(names[two[1]])
    for k, bound in zip(two, (axes[0, 0].set_xlim, axes[0, 0].set_ylim), strict=True):
        low, high = limits({name: x[..., k].ravel() for name, x in {**clouds, **_only(draws, reference)}.items()},
                           reference)
        if high > low:
            bound(low, high)
    return save(figure, folder / "pairs.png")


def _only(draws: Draws, name: str | None) -> Draws:
    return {name: draws[name]} if name else {}


def _cloud(x: np.ndarray, two: Sequence[int]) -> np.ndarray:
    chosen = x[..., two].reshape(-1, 2)
    return chosen[:: max(len(chosen) // POINTS, 1)].T


def chains(folder: Path, draws: Draws, names: Sequence[str], order: Sequence[int]) -> Path:
    """Traces, and the ranks of every chain among all: flat where the chains sample alike (Vehtari et al. 2021)."""
    shown = order[:SHOWN]
    rows = [(name, k) for name in draws for k in shown]
    figure, axes = plt.subplots(len(rows), 2, figsize=(9, 1.7 * len(rows) + 0.6), squeeze=False,
                                width_ratios=(2, 1))
    for (left, right), (name, k) in zip(axes, rows, strict=True):
        x = draws[name][..., k]
        ties = np.random.default_rng(0).random(x.size)  # of whole numbers, which have no order of their own
        ranks = np.lexsort((ties, x.ravel())).argsort().reshape(x.shape)
        for c, (line, rank) in enumerate(zip(x, ranks, strict=True)):
            colour = shades(len(x))[c]
            left.plot(line, color=colour, lw=0.6, label=f"chain {c + 1}")
            right.hist(rank, BINS, range=(0, ranks.size), histtype="step", color=colour)
        right.axhline(x.shape[1] / BINS, color="0.4", ls=":", lw=1)
        left.set_ylabel(names[k])
        left.set_title(title(name), fontsize=8)
        right.set(yticks=[], ylim=(0, None))
    axes[-1, 0].set_xlabel("draw")
    axes[-1, 1].set_xlabel("rank among all chains")
    axes[0, 0].legend(fontsize=6, ncols=4, loc="upper right")
    return save(figure, folder / "chains.png")


def predictive(folder: Path, observed: np.ndarray, replicated: np.ndarray, name: str) -> Path:
    """How often every value is observed, and drawn anew from the posterior predictive: of few values as bars, of many
    as the shares of data up to each."""
    figure, axis = plt.subplots(figsize=(6.4, 4.2))
    every = np.concatenate([observed, replicated.ravel()])
    draw = _counts if bool((every == every.round()).all()) and np.ptp(every) <= 2 * FEW else _shares
    draw(axis, observed, replicated, name)
    axis.set(xlabel="value of an observed number", title="Posterior predictive check")
    axis.legend()
    return save(figure, folder / "predictive.png")


def _counts(axis: plt.Axes, observed: np.ndarray, replicated: np.ndarray, name: str) -> None:
    """Bars of the observed counts; medians and 90% intervals of the replicated ones."""
    values = np.arange(min(observed.min(), replicated.min()), max(observed.max(), replicated.max()) + 1)
    found = np.array([[(line == v).sum() for v in values] for line in replicated])
    middle, ends = np.median(found, 0), np.quantile(found, (0.05, 0.95), 0)
    axis.bar(values, [(observed == v).sum() for v in values], 0.6, color="0.8", label="observed")
    axis.errorbar(values, middle, np.abs(ends - middle), fmt="o", color=styles([name])[name]["color"], capsize=4,
                  label=f"drawn anew, by {title(name)}: median and 90%")
    axis.set(ylabel="how many of the data", xticks=values)


def _shares(axis: plt.Axes, observed: np.ndarray, replicated: np.ndarray, name: str) -> None:
    """Shares of data up to every value, a line a data set."""
    height = (np.arange(len(observed)) + 1) / len(observed)
    colour = styles([name])[name]["color"]
    for k, line in enumerate(replicated[:REPLICATES]):
        axis.step(np.sort(line), height, where="post", color=colour, alpha=0.25, lw=0.7,
                  label=f"drawn anew, by {title(name)}" if k == 0 else None)
    axis.step(np.sort(observed), height, where="post", color="black", lw=1.8, label="observed")
    low, high = np.quantile(np.concatenate([observed, replicated.ravel()]), WIDE)
    axis.set(ylabel="share of the data up to it", xlim=(low, high))
