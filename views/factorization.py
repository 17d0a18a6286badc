"""The figures of Problem 2: how fits go, what they predict, and how sure they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from inference.result import Result
from views.figures import plain_log, save, shades, styles, title

SHOWN_PAIRS = 120  # with an interval each
LEAST = 5  # test pairs behind a point of a curve
NORMAL_90 = 1.6448536269514722


def learning(folder: Path, results: Sequence[Result], num_ratings: int,
             reference: Mapping[str, Sequence[float]] | None = None) -> Path:
    """ELBO and test NLL against epochs and against seconds of fitting (scoring not counted).

    reference  somebody's `elbo` (per rating) and `test_nll` by epoch, drawn too; then from the first epoch on
    """
    style = styles(r.name for r in results)
    figure, axes = plt.subplots(2, 2, figsize=(11, 7.5), sharex="col", sharey="row")
    for row, (field, scale, label) in enumerate((("elbo", num_ratings, "ELBO per rating (nats; higher is better)"),
                                                 ("test_nll", 1, "test NLL (nats per rating; lower is better)"))):
        shown = [r for r in results if field in r.trace]
        for r in shown:
            values = r.trace[field].mean(0) / scale
            look = {**style[r.name], "markersize": 3.5, "lw": 1.2}
            axes[row, 0].plot(np.arange(1, r.steps + 1), values, label=title(r.name), **look)
            axes[row, 1].plot(r.seconds.mean(0).cumsum(), values, label=title(r.name), **look)
        if reference:
            axes[row, 0].plot(np.arange(1, len(reference[field]) + 1), reference[field], "k:", lw=1.5,
                              label="the reference's printout")
        else:
            _frame(axes[row, 0], [r.trace[field].mean(0) / scale for r in shown], rising=field == "elbo")
        axes[row, 0].set_ylabel(label)
    for axis in axes.ravel():
        if not reference:
            plain_log(axis, "x")
    lines, words = axes[1, 0].get_legend_handles_labels()
    figure.legend(lines, words, loc="outside lower center", ncols=5, fontsize=8)
    axes[1, 0].set_xlabel("epoch (one pass over the ratings)")
    axes[1, 1].set_xlabel("seconds of fitting")
    figure.suptitle("How each method learns: by passes over the data, and by the clock")
    return save(figure, folder / "learning.png")


def _frame(axis: plt.Axes, curves: Sequence[np.ndarray], rising: bool) -> None:
    """Show where the curves end and some of the way there, not the first wild steps."""
    curves = [c[np.isfinite(c)] * (-1 if rising else 1) for c in curves if np.isfinite(c).any()]
    if curves:
        best, worst = min(c.min() for c in curves), max(c[-1] for c in curves)
        span = max(1.3 * (worst - best), 0.05 * abs(best))
        low, high = best - 0.05 * span, best + span
        axis.set_ylim(*((-high, -low) if rising else (low, high)))


def by_rank(folder: Path, results: Mapping[int, Result], num_ratings: int) -> Path:
    """Where the bound and the NLLs end at each K; and each of them on the way there."""
    ranks = sorted(results)
    fields = [f for f in (("ELBO per rating", "elbo", num_ratings, "s", "black"),
                          ("test NLL", "test_nll", 1, "o", "0.35"), ("train NLL", "train_nll", 1, "^", "0.6"))
              if any(f[1] in r.trace for r in results.values())]
    figure, axes = plt.subplots(2, 2, figsize=(11, 8))
    ends, lines = axes[0, 0], []
    for axis, (name, field, scale, marker, colour) in zip(axes.ravel()[1:], fields, strict=False):
        shown = [K for K in ranks if field in results[K].trace]
        curves = {K: results[K].trace[field].mean(0) / scale for K in shown}
        rising = field == "elbo"
        side = ends.twinx() if rising else ends
        lines += side.plot(shown, [curves[K][-1] for K in shown], color=colour, marker=marker,
                           label=f"{name} (right)" if rising else name)
        if rising:
            side.set(ylabel="ELBO per rating (nats; higher is better)")
            side.grid(False)
            side.spines["right"].set_visible(True)
        for K, line in zip(ranks, shades(len(ranks)), strict=True):
            if K in curves:
                axis.plot(np.arange(1, len(curves[K]) + 1), curves[K], color=line, marker=".", label=f"K = {K}")
        _frame(axis, list(curves.values()), rising=rising)
        plain_log(axis, "x")
        axis.set(xlabel="epoch", ylabel=f"{name} (nats)", title=f"{name}, on the way")
        axis.legend(fontsize=7, ncols=2)
    for axis in axes.ravel()[1 + len(fields):]:
        axis.remove()
    ends.set(xlabel="rank K", ylabel="nats per rating (lower is better)", xticks=ranks, title="where it ends")
    ends.legend(handles=lines, fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3)  # no line is there
    figure.suptitle(f"{title(results[ranks[0]].name)}: what each further factor is worth")
    return save(figure, folder / "ranks.png")


def predictions(folder: Path, observed: np.ndarray, results: Sequence[Result]) -> Path | None:
    """Test ratings beside their predictive means and 90% intervals, in the order of the means."""
    results = sorted((r for r in results if "test_mean" in r.expected), key=lambda r: r.by != "user")  # theirs first
    if not results or not len(observed):
        return None
    columns = min(len(results), 2)
    rows = -(-len(results) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(5.6 * columns, 2.9 * rows + 0.7), squeeze=False, sharey=True)
    low, high = observed.min(), max(observed.max(), observed.min() + 1)
    picked = np.linspace(0, len(observed) - 1, min(SHOWN_PAIRS, len(observed))).astype(int)
    style = styles(r.name for r in results)
    for axis, r in zip(grid.ravel(), results, strict=False):
        mean, colour = r.expected["test_mean"], style[r.name]["color"]
        noise = r.expected.get("test_noise", r.expected["noise_variance"])
        half = NORMAL_90 * np.sqrt(r.expected["test_spread"] ** 2 + noise)
        inside = np.abs(observed - mean) <= half
        order = picked[np.argsort(mean[picked])]
        place = np.arange(len(order))
        axis.fill_between(place, (mean - half)[order], (mean + half)[order], step="mid", color=colour, alpha=0.2,
                          label="90% interval")
        axis.plot(place, mean[order], color=colour, lw=1.2, label="predictive mean")
        axis.plot(place, observed[order], ".", color="0.25", markersize=3, label="rating")
        axis.set_title(f"{title(r.name)}: {100 * inside.mean():.1f}% of {len(observed):,} test ratings inside",
                       fontsize=8)
        axis.set(ylabel="rating", ylim=(low - 0.5 * (high - low), high + 0.5 * (high - low)))
    for axis in grid.ravel()[len(results):]:
        axis.remove()
    for axis in grid[-1]:
        axis.set_xlabel(f"{len(picked)} of the test ratings, by predictive mean")
    grid[0, 0].legend(fontsize=7, loc="upper left")
    figure.suptitle("Predicted against observed")
    return save(figure, folder / "predictions.png")


def uncertainty(folder: Path, count: np.ndarray, results: Sequence[Result]) -> Path | None:
    """Posterior sd of u . v at the test pairs against how many ratings the user has in training.

    count (test pairs,)
    """
    results = [r for r in results if "test_spread" in r.expected and r.expected["test_spread"].any()]
    if not results or not len(count):
        return None
    edges = np.unique(np.round(np.geomspace(1, max(count.max(), 2) + 1, 16)).astype(int))
    place = np.digitize(count, edges)
    bins = [b for b in np.unique(place) if (place == b).sum() >= LEAST]
    if len(bins) < 2:
        return _spreads(folder, count, results)
    style = styles(r.name for r in results)
    figure, axis = plt.subplots(figsize=(6.5, 4.4))
    middle = [np.exp(np.log(np.maximum(count[place == b], 0.5)).mean()) for b in bins]
    for r in results:
        spread = r.expected["test_spread"]
        quarter, median, three = (np.array([np.quantile(spread[place == b], q) for b in bins])
                                  for q in (0.25, 0.5, 0.75))
        axis.plot(middle, median, markersize=4, label=title(r.name), **style[r.name])
        axis.fill_between(middle, quarter, three, color=style[r.name]["color"], alpha=0.12)
    plain_log(axis, "xy")
    axis.set(xlabel="ratings of the user in the training set (none: drawn at 0.5)",
             ylabel="posterior sd of the prediction u.v (rating units)")
    axis.set_title("How sure the prediction is, by how much its user has rated\n(median, and half of the test pairs)")
    axis.legend(fontsize=7)
    return save(figure, folder / "uncertainty.png")


def _spreads(folder: Path, count: np.ndarray, results: Sequence[Result]) -> Path:
    """The same where all users have rated about as much: how the posterior sds lie, a box a method."""
    few, many = int(count.min()), int(count.max())
    rated = f"every user has {few}" if few == many else f"users have {few} to {many}"
    style = styles(r.name for r in results)
    figure, axis = plt.subplots(figsize=(6.5, 1.4 + 0.5 * len(results)))
    boxes = axis.boxplot([r.expected["test_spread"] for r in results], orientation="horizontal", whis=(5, 95),
                         showfliers=False, patch_artist=True, medianprops={"color": "black"})
    for box, r in zip(boxes["boxes"], results, strict=True):
        box.set(facecolor=style[r.name]["color"], alpha=0.6)
    axis.set_yticks(range(1, len(results) + 1), [title(r.name) for r in results])
    axis.invert_yaxis()
    axis.set_xlabel("posterior sd of the prediction u.v (rating units)")
    axis.set_title(f"How sure: {rated} training rating{'s' * (many != 1)}\n(boxes: half of the test "
                   f"pairs; whiskers: 90%)")
    return save(figure, folder / "uncertainty.png")


def gradients(folder: Path, spreads: Mapping[str, Mapping[str, np.ndarray]], of: Mapping[str, str] | None = None
              ) -> Path:
    """Standard deviation of single-sample gradients of the ELBO, by estimator and kind of parameter.

    spreads[estimator][parameter] (entries,), nats per unit of the parameter; `of`, the method of an estimator
    """
    figure, axis = plt.subplots(figsize=(7, 4.4))
    names, style = list(next(iter(spreads.values()))), styles(spreads, of)
    for k, (estimator, by_name) in enumerate(spreads.items()):
        offset = (k - (len(spreads) - 1) / 2) * 0.34
        parts = axis.boxplot([by_name[n][by_name[n] > 0] for n in names], positions=np.arange(len(names)) + offset,
                             widths=0.3, whis=(5, 95), showfliers=False, patch_artist=True,
                             medianprops={"color": "black"},
                             boxprops={"facecolor": style[estimator]["color"], "alpha": 0.6})
        parts["boxes"][0].set_label(title(estimator))
    axis.set_xticks(range(len(names)), [title(n) for n in names])
    plain_log(axis, "y")
    axis.set(ylabel="sd of one gradient sample (nats per unit)",
             title="Two unbiased estimators of the same gradient: how much they scatter\n(boxes: half of the entries; "
             "whiskers: 90%)")
    axis.legend()
    return save(figure, folder / "gradients.png")
