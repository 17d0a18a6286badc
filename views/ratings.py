"""Figures of ratings and of what a fit makes of their items: an overview, a map at K = 2, learned noise and priors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from inference.result import Result
from views.figures import plain_log, save, shades, title

NAMED = 40  # items on a map that have their names
LONGEST = 22  # characters of a name
WIDE, HIGH = 7, 14  # pixels of a character
BARS = 40


def overview(folder: Path, result: Result) -> Path | None:
    """How often each rating was given, and how many users and items have so many; of the training set."""
    data = result.groups.get("constant_data")
    if not data:
        return None
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.8))
    colours = shades(3)
    if "level" in data:
        place = np.arange(len(data["level"]))
        left.bar(place, data["level_count"], color=colours[0], width=0.8)
        left.set_xticks(place, [f"{level:g}" for level in data["level"]])
    else:
        left.hist(result.groups["observed_data"]["r"], bins=BARS, color=colours[0])
    left.set(xlabel="rating", ylabel="training ratings" if "level" in data else "of a sample of training ratings",
             title=f"mean {float(data['rating_mean']):.3g}, sd {float(data['rating_variance']) ** 0.5:.3g}")
    for axis, side, colour in ((middle, "user", colours[1]), (right, "item", colours[2])):
        _counts(axis, data[f"{side}_count"], side, colour)
    figure.suptitle(f"The training set: {int(data['user_count'].sum()):,} ratings of {len(data['item_count']):,} items "
                    f"by {len(data['user_count']):,} users")
    return save(figure, folder / "data.png")


def _counts(axis: plt.Axes, count: np.ndarray, side: str, colour: str) -> None:
    """A histogram in bins of equal width on the log scale; those without a rating are said."""
    some = count[count > 0]
    low, high = some.min(), max(some.max(), some.min() + 1)
    wide = high > 20 * low
    edges = np.unique(np.round(np.geomspace(low, high + 1, BARS // 2))) if wide else np.arange(low, high + 2)
    if not wide and len(edges) > BARS:
        edges = np.unique(np.round(np.linspace(low, high + 1, BARS // 2)))
    axis.hist(some, bins=(edges - 0.5).tolist(), color=colour)
    if wide:
        plain_log(axis, "x")
    none = int((count == 0).sum())
    axis.set(xlabel=f"training ratings of the {side}", ylabel=f"{side}s",
             title=f"median {np.median(some):g}" + (f"; {none:,} {side}s have none" if none else ""))


def items(folder: Path, result: Result) -> Path | None:
    """Posterior means of the items' factors at K = 2, the most rated with their names; draws are turned onto the last
    of them, for factors are known only up to rotation and sign."""
    latents, data = result.groups.get("latents", {}), result.groups.get("constant_data")
    if data is None or "V" not in latents or latents["V"].shape[-1] != 2:
        return None
    V = latents["V"].reshape(-1, *latents["V"].shape[2:]).astype(float)
    U = latents["U"].reshape(-1, *latents["U"].shape[2:]).astype(float)
    turned = np.stack([v @ rotation(u, U[-1], v, V[-1]) for u, v in zip(U, V, strict=True)])
    mean, sd = turned.mean(0), turned.std(0)
    turn = np.linalg.svd(mean - mean.mean(0), full_matrices=False)[2].T
    mean = mean @ turn
    count, names = data["item_count"], result.coords["item"][1]
    figure, axis = plt.subplots(figsize=(8.5, 6.5))
    shade = axis.scatter(mean[:, 0], mean[:, 1], s=12 + 60 * count / max(count.max(), 1), c=data["item_mean"],
                         cmap="viridis", alpha=0.8, linewidths=0)
    axis.set_aspect("equal", adjustable="datalim")
    axis.margins(0.08)
    figure.colorbar(shade, label="mean rating of the item in the training set")
    figure.draw_without_rendering()  # so that it is known where the points are
    _name(axis, mean, [str(name) for name in names], np.argsort(-count, kind="stable"))
    axis.set(xlabel="first direction of the items' factors", ylabel="second direction",
             title=f"{title(result.name)}: the items' map at K = 2\n(size: how often rated; typical posterior sd "
                   f"{np.median(sd):.2g}; near each other: liked by the same)")
    return save(figure, folder / "items.png")


def _name(axis: plt.Axes, place: np.ndarray, names: list[str], order: np.ndarray) -> None:
    """Names beside points, in that order, where they do not stand on one that is there."""
    at, taken = axis.transData.transform(place), np.empty((0, 2))
    for k in order:
        if len(taken) == NAMED:
            break
        name = names[k] if len(names[k]) <= LONGEST else names[k][:LONGEST - 1] + "…"
        near = np.abs(taken - at[k])
        if ((near[:, 0] < WIDE * (len(name) + 1)) & (near[:, 1] < HIGH)).any():
            continue
        taken = np.concatenate([taken, at[k][None]])
        axis.annotate(name, place[k], xytext=(4, 3), textcoords="offset points", fontsize=7)


def rotation(u: np.ndarray, to_u: np.ndarray, v: np.ndarray, to_v: np.ndarray) -> np.ndarray:
    """The rotation R for which u R and v R are nearest to the others: Procrustes, by singular values.

    >>> u = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.2]])
    >>> turn = np.array([[0.6, 0.8], [-0.8, 0.6]])
    >>> np.allclose(rotation(u, u @ turn, u, u @ turn), turn)
    True
    """
    left, _, right = np.linalg.svd(u.T @ to_u + v.T @ to_v)
    found: np.ndarray = left @ right
    return found


def learned(folder: Path, result: Result, found: Mapping[str, np.ndarray], units: str) -> Path:
    """The posterior distribution of what was learned besides the factors, a panel each, a line a chain."""
    columns = min(len(found), 3)
    rows = -(-len(found) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(3.9 * columns, 2.9 * rows + 0.4), squeeze=False)
    for axis, (name, x) in zip(grid.ravel(), found.items(), strict=False):
        edges = np.linspace(x.min() - 1e-9, x.max() + 1e-9, 21)
        for c, chain in enumerate(x):
            axis.hist(chain, bins=edges.tolist(), density=True, histtype="step", color=shades(len(x))[c],
                      label=f"chain {c + 1}")
        axis.axvline(x.mean(), color="0.3", lw=0.9, ls=":", label=f"mean {x.mean():.3g}")
        axis.set(xlabel=f"{name} ({units})", ylabel="posterior density")
        axis.legend(fontsize=7)
    for axis in grid.ravel()[len(found):]:
        axis.remove()
    figure.suptitle(f"{title(result.name)}: learned noise and priors")
    return save(figure, folder / "learned.png")
