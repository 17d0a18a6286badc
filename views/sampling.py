"""The figures of Problem 3: how chains predict as they go, against the number of factors, and how sure they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from inference.result import Result
from views.figures import plain_log, save, shades, styles, title

SETS = {"train": "training ratings", "test": "test ratings"}
ByRank = Mapping[tuple[float, int], Result]  # (share of the training set, K)
LEAST = 20  # test pairs of a bin that is drawn
OVERFITS = 0.05  # nats by which a test NLL must rise with K for a figure to say so


def sweeps(folder: Path, results: Sequence[Result], rank: int) -> Path:
    """Predictive NLL against sweeps: of the mean density of all draws so far, and of the last alone."""
    style = styles(r.name for r in results)
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.4))
    for axis, (name, what) in zip(axes, SETS.items(), strict=True):
        ends = []
        for n, r in enumerate(results):
            if f"{name}_nll" not in r.trace:
                continue
            x = np.arange(1, r.steps + 1)
            look = {**style[r.name], "lw": (3.2, 1.3, 0.8)[min(n, 2)], "alpha": 0.75, "marker": None}
            axis.plot(x, r.trace[f"{name}_nll"].mean(0), label=f"{title(r.name)}, all draws so far", **look)
            if n == 0:
                axis.plot(x, r.trace[f"{name}_nll_last"].mean(0), color="0.5", lw=1, label="the last draw alone")
            ends.append(r.trace[f"{name}_nll"].mean(0)[-1])
            burn_in = r.facts["warmup"]
        if ends:
            if burn_in:
                axis.axvline(burn_in + 0.5, color="0.3", lw=0.8, ls=":", label="burn-in ends, averages start anew")
            axis.set_ylim(min(ends) - 0.05, min(ends) + 0.35)
        axis.set(xlabel="sweep", title=what)
        if ends:
            axis.legend(fontsize=7, loc="upper right")
    axes[0].set_ylabel("predictive NLL (nats per rating; lower is better)")
    whole, last = (results[0].final(name) for name in ("test_nll", "test_nll_last"))
    better = whole is not None and last is not None and whole < last
    figure.suptitle(f"K = {rank}: averaging over draws predicts better than the last of them" if better else
                    f"K = {rank}: the average over all draws so far, and the last draw alone")
    return save(figure, folder / "sweeps.png")


def ranks(folder: Path, results: ByRank, name: str) -> Path:
    """All ranks on one figure: predictive NLL of one set against sweeps."""
    full = {K: r for (share, K), r in sorted(results.items()) if share == 1 and f"{name}_nll" in r.trace}
    figure, axis = plt.subplots(figsize=(7, 4.8))
    ends = [r.trace[f"{name}_nll"].mean(0)[-1] for r in full.values()]
    for (K, r), colour in zip(full.items(), shades(len(full)), strict=False):
        axis.plot(np.arange(1, r.steps + 1), r.trace[f"{name}_nll"].mean(0), color=colour, label=f"K = {K}")
    if ends:
        axis.set_ylim(min(ends) - 0.05, max(ends) + 0.35)
        axis.legend(fontsize=7, ncols=2, loc="upper right")
    axis.set(xlabel="sweep", ylabel="predictive NLL (nats per rating; lower is better)",
             title=f"Gibbs, {SETS[name]}, by number of factors (averages start anew after burn-in)")
    return save(figure, folder / f"ranks_{name}.png")


def overfitting(folder: Path, gibbs: ByRank, point: ByRank) -> Path:
    """Where Gibbs and maximum likelihood end at each K, a panel for each share of the training set."""
    shares = sorted({share for share, _ in gibbs}, reverse=True)
    names = [next(iter(by.values())).name for by in (gibbs, point)]
    looks = [styles(names)[name] for name in names]
    figure, axes = plt.subplots(1, len(shares), figsize=(5.6 * len(shares), 4.6), squeeze=False)
    for axis, share in zip(axes[0], shares, strict=True):
        Ks = sorted(K for s, K in gibbs if s == share)
        values = []
        for look, what, by in zip(looks, ("Gibbs", "maximum likelihood"), (gibbs, point), strict=True):
            for name, line in (("test", "-"), ("train", "--")):
                y = [float(by[share, K].expected.get(f"{name}_nll", np.nan)) for K in Ks]
                axis.plot(Ks, y, line, marker=look["marker"], color=look["color"], label=f"{what}, {name}",
                          markersize=4)
                values += y
        axis.set(xlabel="number of factors K", xticks=Ks, ylabel="NLL (nats per rating; lower is better)")
        if np.nanmax(values) > 4 * np.nanmin(values):
            plain_log(axis, "y")
            axis.set_ylabel("NLL (nats per rating, log scale; lower is better)")
        axis.set_title(f"{100 * share:.0f}% of the training set")
        axis.legend(fontsize=7, handlelength=4)
    lost = [max(rises(by, share) for share in shares) for by in (gibbs, point)]
    figure.suptitle("Maximum likelihood overfits, Gibbs hardly does" if lost[0] < OVERFITS < lost[1] else
                    "Gibbs and maximum likelihood, by number of factors")
    return save(figure, folder / "overfitting.png")


def rises(results: ByRank, share: float) -> float:
    """How far the test NLL at the largest K lies above its lowest, in nats."""
    ends = [float(r.expected.get("test_nll", np.nan)) for (s, K), r in sorted(results.items()) if s == share]
    return ends[-1] - min(ends)


def calibration(folder: Path, result: Result, count: np.ndarray, edges: np.ndarray, shares: np.ndarray,
                sizes: np.ndarray, level: float) -> Path | None:
    """PIT of the test ratings, and the coverage of their central intervals, by how much their user has rated; nothing
    where no bin has enough of them."""
    pit = result.expected["test_pit"]
    place = np.digitize(count, edges) - 1
    shown = [b for b in range(len(edges) - 1) if sizes[b] >= LEAST]
    if not shown:
        return None
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4))
    for b, colour in zip(shown, shades(len(shown)), strict=False):
        left.hist(pit[place == b], bins=20, range=(0, 1), density=True, histtype="step", color=colour,
                  label=f"{bin_name(edges, b)} ratings ({sizes[b]:,} pairs)")
    left.axhline(1, color="0.4", lw=1, ls=":", label="right")
    left.set(xlabel="PIT: predictive probability of a rating below the one given", ylabel="density")
    left.legend(fontsize=7)
    middle = [np.exp(np.log(np.maximum(count[place == b], 0.5)).mean()) for b in shown]
    error = [np.sqrt(level * (1 - level) / sizes[b]) for b in shown]
    right.errorbar(middle, shares[shown], yerr=np.multiply(2, error), marker="o", capsize=2,
                   color=styles([result.name])[result.name]["color"], label="share inside (2 standard errors)")
    right.set_ylim(top=min(1.0, right.get_ylim()[1]))
    right.set_xticks(middle, [f"{x:.0f}" for x in middle])
    right.axhline(level, color="0.4", lw=1, ls=":", label="right")
    right.set(xlabel="mean number of ratings of the user in the training set",
              ylabel=f"share of test ratings in their {100 * level:.0f}% interval")
    right.legend(fontsize=7)
    figure.suptitle(f"{title(result.name)}: is the predictive distribution right?")
    return save(figure, folder / "calibration.png")


def bin_name(edges: np.ndarray, b: int) -> str:
    """What bin number b holds; the last has no end."""
    return f"{edges[b]} to {edges[b + 1] - 1}" if b < len(edges) - 2 else f"{edges[b]} or more"


def crosscheck(folder: Path, judge: Result, others: Sequence[Result]) -> Path | None:
    """Predictive means of other methods against the judge's, in the judge's posterior standard deviations."""
    others = [r for r in others if "test_mean" in r.expected]
    if not others or "test_mean" not in judge.expected:
        return None
    style = styles(r.name for r in [judge, *others])
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6))
    mean, sd = judge.expected["test_mean"], np.maximum(judge.expected["test_spread"], 1e-12)
    picked = np.linspace(0, len(mean) - 1, min(600, len(mean))).astype(int)
    span = [mean[picked].min(), mean[picked].max()]
    left.plot(span, span, color="0.6", lw=1)
    for r in others:
        left.plot(mean[picked], r.expected["test_mean"][picked], ".", markersize=3, alpha=0.5,
                  color=style[r.name]["color"], label=title(r.name))
        right.hist(np.clip((r.expected["test_mean"] - mean) / sd, -3, 3), bins=60, range=(-3, 3), histtype="step",
                   density=True, color=style[r.name]["color"], ls=style[r.name]["linestyle"], label=title(r.name))
    left.set(xlabel=f"{title(judge.name)}: predictive mean (rating units)", ylabel="the other method's")
    right.set(xlabel=f"difference, in posterior sds of {title(judge.name)} (beyond 3: at the edge)", ylabel="density")
    for axis in (left, right):
        axis.legend(fontsize=7, markerscale=3)
    figure.suptitle("The same posterior by other ways: test predictions")
    return save(figure, folder / "crosscheck.png")
