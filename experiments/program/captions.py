"""What each figure of a program's run shows, with its number."""

from __future__ import annotations

import numpy as np

from comparison.takeaway import goes, span
from experiments.program.study import Study


def errors(study: Study) -> str:
    """How far means are off."""
    far = {r.name: float(np.abs(np.nan_to_num(e.sds)).max()) for r, e in zip(study.results, study.errors, strict=True)
           if e is not None}
    held = f"against {study.judge.name} the worst mean is off by {span(far, ' sds')}" if study.judge and far else (
        "nothing here judges them")
    return f"Marginal posteriors by every method: {held}."


def spreads(study: Study) -> str:
    """How wide posteriors are, on the number where methods differ most."""
    k = study.order[0]
    widths = {r.name: float(n.sd[k]) for r, n in zip(study.results, study.numbers, strict=True) if r.family != "point"}
    return f"Means and intervals: the sd of {study.numbers[0].names[k]} {goes(widths)}."


def pair(study: Study) -> str:
    """The two numbers on which methods differ most."""
    one, other = study.order[:2]
    names, means = study.numbers[0].names, {r.name: float(n.mean[one]) for r, n in zip(
        study.results, study.numbers, strict=True)}
    which = ", where the methods differ most" if study.judge else ""
    return f"{names[one]} and {names[other]}{which}: the mean of {names[one]} {goes(means)}."


def chains(study: Study) -> str:
    """How far chains agree."""
    found = {r.name: whole.rhat for r, whole in zip(study.results, study.wholes, strict=True) if r.family == "mcmc"}
    return f"Chains, one colour each, and their ranks: the worst R-hat {goes(found)}."


def predictive(study: Study) -> str:
    """How often replicated data exceed the observed mean."""
    share = float((study.replicated.mean(1) >= study.observed.mean()).mean())
    return (f"Observed data against data drawn anew from the posterior: {100 * share:.0f}% of the latter have a mean "
            f"at least as large.")
