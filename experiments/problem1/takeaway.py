"""What a person should remember of an image: which approximate method is best on it, by how much, with what doubt."""

from __future__ import annotations

from collections.abc import Sequence

from comparison.takeaway import WITHIN, listed
from experiments.problem1.study import GridEntry
from experiments.problem1.words import is_stranded
from inference.diagnostics import MIXED

NEAR = 1e-9  # of a marginal: methods that are that near to exact are not told apart


def take_away(image: str, entries: Sequence[GridEntry]) -> str:
    """By the worst marginal where an exact answer is known, else by wrong pixels, else by the bound; "" of nothing."""
    tried = [e for e in entries if e.family not in ("exact", "point")]
    for chosen in (_by_error, _by_pixels, _by_bound):
        if said := chosen(tried):
            return f"On {image}, {said}"
    return ""


def _by_error(entries: Sequence[GridEntry]) -> str:
    known = sorted(((e.max_error, e) for e in entries if e.max_error is not None), key=lambda pair: pair[0])
    if not known:
        return ""
    best, rest = known[0][1], known[1:]
    tied = [e.name for error, e in known if error <= NEAR]
    if len(tied) > 1:
        rest = known[len(tied):]
        said = f"every marginal of {listed(tied)} is within {NEAR:g} of exact"
    else:
        said = f"{best.name} is nearest to exact of those that are not (worst marginal off by {known[0][0]:.2g})"
    if rest:
        (near, next_best), (far, worst) = rest[0], rest[-1]
        said += f"; {next_best.name} is off by {near:.2g}"
        said += f", {worst.name}, the farthest, by {far:.2g}" if worst is not next_best else ""
    return f"{said}.{_chance(entries)} Another coupling may change the order (--beta)."


def _chance(entries: Sequence[GridEntry]) -> str:
    """Chains that are off by no more than two standard errors, 1 / sqrt(ESS) of a marginal at most."""
    known = [e for e in entries if e.family == "mcmc" and e.ess and e.max_error is not None
             and e.max_error > NEAR and not (e.rhat is not None and e.rhat > MIXED)]
    even = [e.name for e in known if (e.max_error or 0.0) <= WITHIN * 0.5 / (e.ess or 1.0) ** 0.5]
    return f" Chance alone explains the error of {listed(even)}, which more sweeps would lessen." if even else ""


def _by_pixels(entries: Sequence[GridEntry]) -> str:
    known = sorted(((e.share_wrong, e) for e in entries if e.share_wrong is not None), key=lambda pair: pair[0])
    if not known:
        return ""
    (least, best), (most, worst) = known[0], known[-1]
    said = f"{best.name} leaves the fewest pixels wrong, {100 * least:.2f}%"
    said += f"; {worst.name} leaves {100 * most:.2f}%" if most > least else ", as do the others" * (len(known) > 1)
    return f"{said}. No exact answer judges the probabilities here.{_unsettled(entries)}"


def _by_bound(entries: Sequence[GridEntry]) -> str:
    known = sorted((e.log_evidence, e.name) for e in entries
                   if e.log_evidence is not None and e.log_evidence_kind == "lower bound")
    if not known:
        return ""
    value, name = known[-1]
    more = f", {value - known[-2][0]:.3g} above {known[-2][1]}" if len(known) > 1 else ""
    return (f"{name} has the highest lower bound of log Z ({value:.9g} nats{more}). No exact answer judges the "
            f"probabilities here, nor is the truth known.{_unsettled(entries)}")


def _unsettled(entries: Sequence[GridEntry]) -> str:
    stray = [e.name for e in entries if e.oscillating or is_stranded(e)]
    return f" Do not rely on {listed(stray)}, which did not converge." if stray else ""
