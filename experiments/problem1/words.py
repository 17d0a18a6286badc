"""What the comparison of Problem 1 says, in words with the numbers in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from experiments.problem1.study import GridEntry
from inference.result import Result
from views.grid import pixel_entropy

SETTLED = 1e-6  # a change that no figure would show


def unsettled(results: Sequence[Result]) -> list[str]:
    """A sentence for every method that iterates to a fixed point and has not reached it."""
    said = []
    for r in results:
        residual = r.final("residual")
        if r.family == "variational" and residual is not None and residual > SETTLED:
            trace = r.trace["residual"].mean(0)
            falling = not r.facts.get("oscillating") and residual < 0.5 * trace[len(trace) // 2]
            advice = ("it is still falling: give more --sweeps" if falling else
                      "it does not fall: neighbours that move together can flip for ever; "
                      "try another --schedule, or --damping 0.5")
            said.append(f"{r.name} has not settled after {r.steps} sweeps: the last one changed something by "
                        f"{residual:.2g}; {advice}.")
    return said


def unmixed(entries: Sequence[GridEntry]) -> list[str]:
    """A sentence for every sampler whose chains disagree or stand still; of lines of `summary.json`."""
    said = []
    for e in entries:
        if e.family == "mcmc" and e.rhat is not None and e.rhat > 1.05:
            said.append(f"{e.name}'s chains disagree (R-hat {e.rhat:.3g}): give more --sweeps, or do not "
                        f"believe it at this coupling.")
        elif e.family == "mcmc" and e.ess is None:
            said.append(f"{e.name}'s draws that were kept are all the same: either nothing else is likely, "
                        f"or the chains are stuck.")
    return said


def comparison(judge: Result, results: Sequence[Result]) -> list[str]:
    """How far mean field and loopy BP are from exact, and in which direction."""
    by_name = {r.name: r for r in results}
    said = []
    error = {n: float(np.abs(by_name[n].expected["labels"] - judge.expected["labels"]).max())
             for n in ("mean_field", "loopy_bp") if n in by_name}
    if len(error) == 2 and min(error.values()) > 0:
        far, near = sorted(error, key=lambda n: -error[n])
        said.append(f"Against {judge.name}, the worst marginal of {near} is off by {error[near]:.2g}, that of {far} by "
                    f"{error[far]:.2g}, {error[far] / error[near]:.3g} times as much.")
    exact = float(pixel_entropy(judge.expected["labels"]).mean())
    for name in error:
        ours = float(pixel_entropy(by_name[name].expected["labels"]).mean())
        if abs(ours - exact) > 0.01 * exact:
            said.append(f"{name} is too {'sure' if ours < exact else 'unsure'}: the mean entropy of its pixels is "
                        f"{ours:.3g} nats, where {exact:.3g} is right.")
    for name in error:
        log_Z, right = by_name[name].log_evidence, judge.log_evidence
        if log_Z is not None and right is not None:
            kind = {"Bethe": "Bethe approximation"}.get(str(by_name[name].log_evidence_kind), "bound")
            said.append(f"{name}'s {kind} of log Z is {log_Z - right:+.3g} nats from exact.")
    return said
