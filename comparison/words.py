"""What a comparison says, in words with the numbers in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite
from statistics import fmean, variance

from comparison.measures import DISAGREES
from comparison.ranking import MEASURES, TO_THE_EXACT
from comparison.report import over_seeds
from comparison.row import Row
from comparison.takeaway import listed
from inference.diagnostics import MIXED
from views.numbers import rhat

WITHIN = 2.0  # standard errors that do not tell two results apart
SHOWN = 4  # names in a sentence


def apart(rows: Sequence[Row]) -> list[str]:
    """That two sorts of NLL are there, or two tasks, which no ranking holds together."""
    said = []
    of_levels = [row.label for row in rows if row.saved.discrete]
    if 0 < len(of_levels) < len(rows):
        said.append(f"The NLL of {listed(of_levels)} is of the probabilities of levels, that of the others of "
                    f"densities: one is not better than the other for being lower, so they are ranked apart; RMSE is "
                    f"the same for both.")
    timed = [row.label for row in rows if row.saved.timed]
    if 0 < len(timed) < len(rows):
        said.append(f"{listed(timed)} knew when the test ratings were given (--use-times), the others did not: these "
                    f"are two tasks, ranked apart.")
    return said


def sentences(rows: Sequence[Row]) -> list[str]:
    """Of results of one set of data, in order of rank."""
    return [s for s in (_best(rows), _scored(rows), _evidence(rows), *_agreement(rows)) if s]


def take_away(rows: Sequence[Row]) -> str:
    """Of results of one set of data, in order of rank: which is best, by how much, with what doubt; "" of one."""
    if len(rows) < 2 or rows[0].standing.place is None:
        return ""
    if over_seeds(rows):
        return _over_seeds(rows)
    by, of = rows[0].standing.ranked_by, MEASURES[rows[0].standing.ranked_by].of
    if by in TO_THE_EXACT:  # where exact methods come first, as they must
        rows = [r for r in rows if r.result.family != "exact"]
        least = min((r.standing.place for r in rows if r.standing.place is not None), default=0)
        rows = [replace(r, standing=replace(r.standing, place=1)) if r.standing.place == least else r for r in rows]
    first = [r for r in rows if r.standing.place == 1]
    other = next((r for r in rows if r.standing.place not in (1, None)), None)
    if other is None:
        return f"By {by} {names(first)} cannot be told apart." if len(first) > 1 else ""
    best, next_best = of(first[0]), of(other)
    those = " of those that are not exact" * (by in TO_THE_EXACT)
    said = f"By {by} {names(first)} {'is' if len(first) == 1 else 'are'} best here{those} ({best:.4g})"
    said += f"; {names([other])} is next ({next_best:.4g})"
    gap, error = other.standing.gap, other.standing.gap_error
    if by == "test_nll" and gap is not None and error is not None:
        doubt = "within" if gap <= WITHIN * error else "beyond"
        return f"{said}, {gap:.2g} worse, give or take {WITHIN * error:.2g}: {doubt} what chance explains."
    return f"{said}; one run each, so that seeds may change it (--sweep seed=0-4)."


def _over_seeds(rows: Sequence[Row]) -> str:
    """The same of the means over seeds, with the standard error of their difference."""
    by = rows[0].standing.ranked_by
    found: dict[str, list[float]] = {}
    for r in rows:
        if (value := MEASURES[by].of(r)) is not None and isfinite(value):
            found.setdefault(r.series, []).append(value)
    order = sorted(found, key=lambda line: fmean(found[line]), reverse=MEASURES[by].higher)
    if len(order) < 2:
        return ""
    (a, b), gap = order[:2], abs(fmean(found[order[0]]) - fmean(found[order[1]]))
    said = f"By the mean {by} over seeds {a} is best here ({fmean(found[a]):.4g}); {b} is next, {gap:.2g} away"
    if min(len(found[a]), len(found[b])) < 2:
        return f"{said}, on one seed."
    doubt = WITHIN * sum(variance(found[line]) / len(found[line]) for line in (a, b)) ** 0.5
    return f"{said}, give or take {doubt:.2g}: {'within' if gap <= doubt else 'beyond'} what seeds explain."


def _best(rows: Sequence[Row]) -> str | None:
    scored = [(nll, r) for r in rows if (nll := r.scores.test_nll) is not None and isfinite(nll)]
    scored.sort(key=lambda pair: pair[0])
    if len(scored) < 2:
        return None
    nll, best = scored[0]
    test = "test data" if best.num_test is None else f"{best.num_test:,} test ratings"
    tied = [r for _, r in scored[1:] if r.standing.gap is not None and r.standing.gap_error is not None
            and r.standing.gap <= WITHIN * r.standing.gap_error]
    return f"{best.label} predicts the {test} best ({nll:.4f}" + (
        f"); {names(tied, but=best)} cannot be told from it: less than {WITHIN:g} standard errors of "
        f"the difference over these ratings." if tied else " nats per rating).")


def _scored(rows: Sequence[Row]) -> str | None:
    """That scores do not rest on the same draws, or training scores not on the same ratings."""
    draws = sorted({samples for r in rows if (samples := r.saved.samples) is not None})
    parts = {str(r.saved.sets.get("scored_train")) for r in rows if r.scores.train_nll is not None}
    said = []
    if len(draws) > 1:
        said.append(f"the NLLs of variational fits rest on {draws[0]} to {draws[-1]} draws from q, and fewer "
                    f"draws raise them a little")
    if len(parts) > 1:
        said.append("the train NLLs are of different parts of the training set")
    return f"Beware: {'; '.join(said)}." if said else None


def _evidence(rows: Sequence[Row]) -> str | None:
    """That bounds of different models are shown and not ranked."""
    models = list({str(r.saved.model): r.saved.model for r in rows if r.scores.evidence is not None}.values())
    if len(models) < 2:
        return None
    what = [n for n in models[0] if len({str(model.get(n)) for model in models}) > 1]
    values = "; ".join(f"{n} {', '.join(dict.fromkeys(str(model.get(n)) for model in models))}" for n in what)
    return (f"The evidence is of {len(models)} models ({values or 'of different classes'}) and is not ranked: each "
            f"bounds that of its own model.")


def _agreement(rows: Sequence[Row]) -> list[str]:
    """Which references cannot be relied on, which chains do not agree with theirs, and which fits are off."""
    said = []
    asked = {r.agreement.reference for r in rows if r.agreement.reference != r.label}
    unmixed = [(worst, r) for r in rows if r.label in asked and (worst := r.scores.rhat) is not None and worst > MIXED]
    if unmixed:
        said.append(f"{names([r for _, r in unmixed])}: chains that are a reference and disagree among themselves "
                    f"(R-hat up to {rhat(max(worst for worst, _ in unmixed))}); agreement with them means little until "
                    f"they have run longer.")
    off = [(z, r) for r in rows if (z := r.agreement.z) is not None and z > DISAGREES]
    chains = [(z, r) for z, r in off if r.result.family == "mcmc"]
    if chains:
        said.append(f"{names([r for _, r in chains])}: up to {max(z for z, _ in chains):.3g} Monte Carlo "
                    f"standard errors from the reference, where chance gives 1: another distribution, or chains that "
                    f"have not mixed.")
    fits = [r for _, r in off if r.result.family != "mcmc"]
    if fits:
        said.append(f"{names(fits)}: not the posterior of the reference, by up to "
                    f"{max(r.agreement.sds or 0.0 for r in fits):.2g} of its standard deviations (root mean square).")
    return said


def names(rows: Sequence[Row], but: Row | None = None) -> str:
    """At most a few of them; of a sweep's runs that differ in their seeds once."""
    known = dict.fromkeys(r.series if "seed" in r.settings else r.label for r in rows)
    if but is not None and "seed" in but.settings:
        known.pop(but.series, None)
    if not known:
        return "the same with another seed"
    rest = len(known) - SHOWN
    return "; ".join(list(known)[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")
