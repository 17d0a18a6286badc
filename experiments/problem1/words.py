"""What the comparison of Problem 1 says, in words with the numbers in them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from experiments.problem1.study import GridEntry
from inference.diagnostics import KEPT, MIXED
from inference.result import Result
from views.grid import pixel_entropy
from views.numbers import rhat

BOUNDED = ("structured_mean_field", "tree_reweighted_bp", "generalised_bp", "annealed_importance_sampling")
SCANS = ("structured_mean_field", "tree_reweighted_bp", "generalised_bp")  # they have no --schedule
FINDS_ANY = ("integer_programming", "strip")  # a labelling that breaks no hard constraint, if there is one
RIGHT = 0.01  # error of the worst marginal that leaves nothing to say
MANY = 1e6  # times as much, which is rounding beside an error
SETTLED = 1e-6  # a change that no figure would show


def unsettled(results: Sequence[Result], shape: tuple[int, int]) -> list[str]:
    """A sentence for every method that iterates to a fixed point and has not reached it, on a grid of that shape."""
    said = []
    for r in results:
        residual = r.final("residual")
        if r.family == "variational" and residual is not None and residual > SETTLED:
            said.append(f"{r.name} has not settled after {r.steps} sweeps: the last one changed something by "
                        f"{residual:.2g}; {advice(r, shape)}.")
    return said


def advice(r: Result, shape: tuple[int, int]) -> str:
    """What to do about a method that has not settled, by what it did."""
    trace, far = r.trace["residual"].mean(0), shape[0] + shape[1] - 2
    if flips(r):
        return ("it flips: neighbours that are updated together undo each other; try another --schedule, or --damping "
                "0.5")
    if trace[-1] < 0.5 * trace[len(trace) // 2]:
        return "it is still falling: give more --sweeps"
    if r.name in SCANS:
        return "it does not fall: give more --sweeps, or try --damping 0.5"
    if r.steps < 2 * far and r.options.get("schedule") != "sequential":
        return (f"what one pixel knows travels about a pixel a sweep, and the farthest are {far} apart: give --sweeps "
                f"{2 * far}, or --schedule sequential")
    return "it does not fall: give more --sweeps, or try another --schedule or --damping 0.5"


def flips(r: Result) -> bool:
    """Whether it says so itself, or a bound that it climbs has gone down in the second half of its sweeps."""
    if r.facts.get("oscillating"):
        return True
    bound = r.trace.get("elbo")
    if bound is None or bound.shape[1] < 4:
        return False
    late = bound.mean(0)[bound.shape[1] // 2:]
    return bool((np.diff(late) < -1e-9 * np.abs(late).max()).any())


def unmixed(entries: Sequence[GridEntry]) -> list[str]:
    """A sentence for every sampler whose chains disagree or stand still; of lines of `summary.json`."""
    said = []
    for e in entries:
        if e.family == "mcmc" and e.rhat is not None and e.rhat > MIXED:
            said.append(f"{e.name}'s chains disagree (R-hat {rhat(e.rhat)}): give more --sweeps, or do not "
                        f"believe it at this coupling.")
        elif e.family == "mcmc" and e.ess is None:
            said.append(f"{e.name} has no R-hat: of the pixels that are compared, {KEPT} at most, none ever changed; "
                        f"either nothing else is likely, or the chains are stuck.")
    return said


def impossible(entries: Sequence[GridEntry], least: float) -> list[str]:
    """A sentence for every answer that breaks hard constraints: a labelling without a log joint, or a log Z below
    `least`, what any possible labelling has (nats)."""
    def others(name: str) -> str:
        return " or ".join(f"'{exact}'" for exact in FINDS_ANY if exact != name)

    said = [f"{e.name}'s labelling breaks a hard constraint, so its probability is 0: it found none that breaks none; "
            f"use the method {others(e.name)}." for e in entries if e.family == "point" and e.objective is None]
    return said + [f"{e.name}'s log Z lies below that of any labelling that is possible, so do not believe its "
                   f"marginals: they break hard constraints, or there is no such labelling." for e in entries
                   if e.log_evidence is not None and e.log_evidence < least - 1.0]


def is_stranded(e: GridEntry) -> bool:
    """Whether a sampler's chains disagree, or stand still and are wrong."""
    moved = e.rhat is not None and e.rhat > MIXED
    return e.family == "mcmc" and (moved or e.ess is None) and (e.max_error is None or e.max_error > RIGHT)


def stranded(entries: Sequence[GridEntry], beta: float | None, favour: float) -> list[str]:
    """What to do where the weights strand the samplers; they would mix at `beta`, the weights are `favour`."""
    names = [e.name for e in entries if is_stranded(e)]
    if beta is None or not names:
        return []
    return [f"The weights strand {', '.join(names)}: equal neighbours are {favour:.3g} nats likelier than others, so a "
            f"pixel hardly ever leaves its neighbours; --beta {beta:g} is about where chains still mix."]


def notes(entries: Sequence[GridEntry], beta: float | None) -> dict[str, str]:
    """A line for the picture of each sampler that is stranded."""
    advice = "" if beta is None else f"; try --beta {beta:g}"
    return {e.name: ("chains disagree" if e.ess is not None else "hardly moved") + advice
            for e in entries if is_stranded(e)}


def filled_in(entries: Sequence[GridEntry]) -> list[str]:
    """How the pixels of which nothing was observed came out, where their truth is known."""
    shares = [f"{e.name} has {100 * e.share_wrong_unobserved:.3g}% wrong" for e in entries
              if e.share_wrong_unobserved is not None]
    return [f"Of the pixels of which nothing was observed, {', '.join(shares)}."] if shares else []


def left_out(refused: Mapping[str, str]) -> list[str]:
    """Why methods did not run; none is sent to another that did not run either.

    >>> left_out({"brute_force": "too many; use the method 'strip'", "strip": "too wide"})
    ['brute_force was left out: too many', 'strip was left out: too wide']
    """
    advice = re.compile(rf"[;:] use the method '({'|'.join(map(re.escape, refused))})'[^;.]*") if refused else None
    return [f"{method} was left out: {advice.sub('', why) if advice else why}" for method, why in refused.items()]


def comparison(judge: Result, results: Sequence[Result]) -> list[str]:
    """How far mean field and loopy BP are from exact, and in which direction."""
    by_name = {r.name: r for r in results}
    said = []
    error = {n: float(np.abs(by_name[n].expected["labels"] - judge.expected["labels"]).max())
             for n in ("mean_field", "loopy_bp") if n in by_name}
    if len(error) == 2 and min(error.values()) > 0:
        far, near = sorted(error, key=lambda n: -error[n])
        times = error[far] / error[near]
        said.append(f"Against {judge.name}, the worst marginal of {near} is off by {error[near]:.2g}, that of {far} by "
                    f"{error[far]:.2g}" + (f", {times:.3g} times as much." if times < MANY else "."))
    exact = float(pixel_entropy(judge.expected["labels"]).mean())
    for name in error:
        ours = float(pixel_entropy(by_name[name].expected["labels"]).mean())
        if abs(ours - exact) > 0.01 * exact:
            said.append(f"{name} is too {'sure' if ours < exact else 'unsure'}: the mean entropy of its pixels is "
                        f"{ours:.3g} nats, where {exact:.3g} is right.")
    return said + [said_of_log_z(r, judge) for r in results if r.name in error or r.name in BOUNDED
                   if r.log_evidence is not None and judge.log_evidence is not None]


def said_of_log_z(r: Result, judge: Result) -> str:
    """How far a method's log Z is from exact, with its standard error where it is an estimate."""
    kind = {"Bethe": "Bethe approximation", "Kikuchi": "Kikuchi approximation", "estimate": "estimate"}.get(
        str(r.log_evidence_kind), "bound")
    off, se = (r.log_evidence or 0.0) - (judge.log_evidence or 0.0), r.final("log_evidence_se")
    with_error = "" if se is None else f", with a standard error of {se:.2g}"
    if kind == "estimate" and se is None:
        with_error = ", and its runs are all alike, so that they do not show what they missed"
    return f"{r.name}'s {kind} of log Z is {off:+.3g} nats from exact{with_error}."
