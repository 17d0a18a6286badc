"""The figures of Problem 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from inference.result import Result
from views.figures import plain_log, save, small_multiples, styles, title
from views.pictures import borders

SURE = 1e-12  # nats; what is surer squeezes no others


def entropy(folder: Path, name: str, results: Sequence[Result]) -> Path | None:
    """Where each method is uncertain: the entropy of every pixel's marginal, in nats, on a log scale."""
    results = [r for r in results if "labels" in r.expected and r.family != "point"]
    if not results:
        return None
    figure, axes = small_multiples(len(results))
    K = results[0].expected["labels"].shape[-1]
    maps = [pixel_entropy(r.expected["labels"]) for r in results]
    floor = min((float(m[m > SURE].min()) for m in maps if (m > SURE).any()), default=SURE)
    floor = min(floor, math.log(K) / 2)
    for axis, result, values in zip(axes, results, maps, strict=True):
        shown = axis.imshow(np.maximum(values, floor), cmap="magma", interpolation="nearest",
                            norm=plt.matplotlib.colors.LogNorm(floor, math.log(K)))
        borders(axis, values.shape)
        axis.set_title(f"{title(result.name)}\nmean {values.mean():.2g} nats", fontsize=8)
    figure.colorbar(shown, ax=axes, label=f"entropy of the pixel (nats; at most log {K} = {math.log(K):.2f})",
                    shrink=0.8)
    figure.suptitle(f"{name}: where each method is uncertain")
    return save(figure, folder / "entropy.png")


def pixel_entropy(marginals: np.ndarray) -> np.ndarray:
    """- sum_k p log p over the last axis, in nats."""
    return -(marginals * np.log(np.where(marginals > 0, marginals, 1.0))).sum(-1)


def convergence(folder: Path, name: str, results: Sequence[Result]) -> Path | None:
    """Largest change per sweep of the methods that iterate to a fixed point of messages or marginals."""
    style = styles(r.name for r in results)
    shown = [r for r in results if "residual" in r.trace and r.steps > 1 and r.family != "point"]
    if not shown:
        return None
    figure, axis = plt.subplots(figsize=(6, 4))
    for r in shown:
        values = r.trace["residual"].mean(0)
        end = " (oscillates)" if r.facts.get("oscillating") else ""
        axis.plot(np.arange(1, r.steps + 1), np.where(values > 0, values, np.nan), markersize=3,
                  label=title(r.name) + end, **style[r.name])
    axis.set(xlabel="sweep", ylabel="largest change of a message or marginal")
    plain_log(axis, "y")
    axis.set_title(f"{name}: convergence" + (" (share of pixels changed, for gibbs)"
                                             if any(r.family == "mcmc" for r in shown) else ""))
    axis.legend()
    return save(figure, folder / "convergence.png")


def marginals(folder: Path, name: str, exact: Result, results: Sequence[Result]) -> Path | None:
    """Exact against approximate marginals, one panel a method; on the diagonal they agree."""
    results = [r for r in results if "labels" in r.expected and r.name != exact.name and r.family != "point"]
    if not results:
        return None
    p = exact.expected["labels"].ravel()
    low = max(min(float(p[p > 0].min()), 1e-3) / 10, 1e-18)
    style = styles(r.name for r in results)
    figure, axes = small_multiples(len(results), ticks=True)
    for axis, r in zip(axes, results, strict=True):
        q = np.clip(r.expected["labels"].ravel(), low, 1.0)
        axis.plot([low, 1], [low, 1], color="0.6", lw=1)
        axis.plot(np.clip(p, low, 1.0), q, ".", color=style[r.name]["color"], markersize=5, alpha=0.6)
        worst = np.abs(r.expected["labels"].ravel() - p).max()
        axis.set(xscale="log", yscale="log", xlabel=f"{title(exact.name)} (exact)", ylabel="this method",
                 xlim=(low / 2, 2), ylim=(low / 2, 2))
        axis.set_title(f"{title(r.name)}\nlargest error {worst:.1e}", fontsize=8)
    figure.suptitle(f"{name}: marginal probability of every label at every pixel")
    return save(figure, folder / "marginals.png")


def evidence_ladder(folder: Path, name: str, exact: Result, results: Sequence[Result]) -> Path | None:
    """Each method's log Z minus the exact one: bounds must lie on their side of zero."""
    results = [r for r in results if r.log_evidence is not None]
    if len(results) < 2 or exact.log_evidence is None:
        return None
    gaps = [(r.log_evidence or 0.0) - exact.log_evidence for r in results]
    figure, axis = plt.subplots(figsize=(7, 0.9 + 0.4 * len(results)))
    axis.axvline(0, color="0.4", lw=1)
    style = styles(r.name for r in results)
    for y, (r, gap) in enumerate(zip(results, gaps, strict=True)):
        axis.plot(gap, y, "o", color=style[r.name]["color"])
        axis.annotate(f"{gap:+.2g}", (gap, y), xytext=(0, 5), textcoords="offset points", ha="center", fontsize=7)
    axis.set_yticks(range(len(results)), [f"{title(r.name)} ({r.log_evidence_kind})" for r in results])
    scale = max(min((abs(g) for g in gaps if abs(g) > 1e-9), default=1e-9), 1e-9)
    axis.set_xscale("symlog", linthresh=scale)
    axis.set_xticks(symmetric_decades(scale, max(map(abs, gaps))))
    axis.margins(x=0.08, y=0.2)
    axis.set(xlabel=f"log Z minus exact (nats; exact log Z = {exact.log_evidence:.6f})")
    axis.set_title(f"{name}: log evidence of each method")
    axis.invert_yaxis()
    return save(figure, folder / "log_evidence.png")


def symmetric_decades(least: float, most: float) -> list[float]:
    """Ticks of a symmetric log scale from `least` on: 0, and powers of ten on both sides, few enough to be read.

    >>> symmetric_decades(0.004, 3.0)
    [-1.0, -0.1, -0.01, 0.0, 0.01, 0.1, 1.0]
    """
    powers = range(math.ceil(math.log10(least)), max(math.floor(math.log10(max(most, least))), math.ceil(
        math.log10(least))) + 1)
    side = [10.0**k for k in powers][:: -(-len(powers) // 3)]
    return [*(-x for x in reversed(side)), 0.0, *side]
