"""What each figure of Problem 1 shows, with its number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import mode

from comparison.takeaway import goes, listed, span
from experiments.problem1.study import GridEntry
from inference.result import Result
from views.grid import pixel_entropy


def denoised(entries: Sequence[GridEntry], results: Sequence[Result]) -> str:
    """Wrong pixels where the truth is known, else how far the methods agree."""
    wrong = {e.name: None if e.share_wrong is None else 100 * e.share_wrong for e in entries}
    if found := span(wrong, "%"):
        return f"The most probable label of every pixel: {found} of the pixels are wrong."
    labels = {r.name: r.expected["labels"].argmax(-1) for r in results if "labels" in r.expected}
    most = mode(np.stack(list(labels.values()))).mode
    others = {name: int((found != most).sum()) for name, found in labels.items() if (found != most).any()}
    said = (f"The most probable label of every pixel: {len(labels) - len(others)} of {len(labels)} methods agree on "
            f"all {most.size:,} pixels")
    return said + (f"; {listed([f'{name} differs on {n:,}' for name, n in others.items()])}." if others else ".")


def wrong(entries: Sequence[GridEntry]) -> str:
    """How many pixels are wrong."""
    found = span({e.name: None if e.share_wrong is None else 100 * e.share_wrong for e in entries}, "%")
    return f"The pixels whose most probable label is not the true one: {found} of them."


def entropy(results: Sequence[Result]) -> str:
    """How unsure each method is."""
    means = {r.name: float(pixel_entropy(r.expected["labels"]).mean()) for r in results
             if "labels" in r.expected and r.family != "point"}
    return f"Where each method is uncertain: the mean entropy of a pixel {goes(means, ' nats')}."


def convergence(entries: Sequence[GridEntry]) -> str:
    """What the last sweep still changed."""
    changes = {e.name: e.residual for e in entries if e.family != "point"}
    return f"Convergence: the largest change in the last sweep {goes(changes)}."


def chains(entries: Sequence[GridEntry]) -> str:
    """How far the chains of samplers agree."""
    rhats = {e.name: e.rhat for e in entries if e.family == "mcmc"}
    return ("Chains, one colour each: R-hat of the worst pixel "
            + (f"{goes(rhats)}." if span(rhats) else "is unknown, for none of the pixels that are compared moves."))


def marginals(entries: Sequence[GridEntry]) -> str:
    """How far from exact."""
    errors = {e.name: e.max_error for e in entries if e.family not in ("exact", "point")}
    return f"Every marginal against the exact one: the largest error {goes(errors)}."


def ladder(results: Sequence[Result], judge: Result) -> str:
    """How far the log evidence is from exact."""
    exact = judge.log_evidence or 0.0
    gaps = {r.name: r.log_evidence - exact for r in results if r.log_evidence is not None and r.family != "exact"}
    return f"The log evidence of each method minus the exact one ({exact:.9g} nats): {span(gaps, ' nats')}."
