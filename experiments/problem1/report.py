"""Problem 1's table, figures and sentences, an image at a time."""

from __future__ import annotations

from rich.markup import escape

from experiments.problem1 import words
from experiments.problem1.study import GridEntry, Study
from runs.run import Run
from views import grid as views
from views import tables


def show(this: Run, study: Study) -> list[GridEntry]:
    """The table, the sentences and the figures; returns the lines of `summary.json`."""
    case, results, judge = study.case, study.results, study.judge
    entries = [GridEntry.on(study, result) for result in results]
    H, W, K = case.model.shape
    points = [entry for entry in entries if entry.family == "point"]
    if len(points) < len(entries):
        tables.show(this.console, f"{case.name}: {H} x {W}, {K} labels"
                    + (f"; errors are against {judge.name}" + ("" if judge in results else ", which was run for that")
                       if judge else f"; no exact answer: {study.unjudged}"),
                    ("method", "by", "log Z", "", "max error", "mean error", "wrong pixels", "residual",
                     "R-hat", "ESS", "sweeps", "seconds"), [row(entry) for entry in entries if entry not in points])
    if points:
        known = study.best is not None
        tables.show(this.console, f"{case.name}: {H} x {W}, {K} labels; the most probable labelling"
                    + (f", whose log joint is {study.best:.9g} by strip" if known else ""),
                    ("method", "by", "log joint", "below the best" if known else "below the best, at most",
                     "none is above", "wrong pixels", "sweeps", "seconds"),
                    [point_row(entry) for entry in sorted(points, key=lambda e: -(e.objective or 0.0))])
    compared = words.comparison(judge, results) if judge else []
    this.say(*words.unsettled(results, (H, W)), *words.unmixed(entries), *compared)
    for line in words.left_out(study.refused):
        this.console.print(f"[dim]{escape(line)}[/]", soft_wrap=True)
    this.console.print()
    place = this.folder / case.folder
    views.denoised(place, case.name, None if case.observed is None else case.observed.numpy(), case.clean, results)
    views.entropy(place, case.name, results)
    views.convergence(place, case.name, results)
    if judge:
        views.marginals(place, case.name, judge, results)
        views.evidence_ladder(place, case.name, judge, results)
    return entries


def row(e: GridEntry) -> tuple[object, ...]:
    """An entry as a line of the table."""
    kind = e.log_evidence_kind
    if e.log_evidence_se is not None:
        kind = f"{kind} ± {e.log_evidence_se:.2g}"
    return (e.name, e.by, None if e.log_evidence is None else f"{e.log_evidence:.9g}", kind, e.max_error,
            e.mean_error, None if e.share_wrong is None else f"{100 * e.share_wrong:.2f}%",
            "oscillates" if e.oscillating else e.residual, e.rhat, None if e.ess is None else round(e.ess), e.steps,
            e.seconds)


def point_row(e: GridEntry) -> tuple[object, ...]:
    """An entry as a line of the table of labellings."""
    return (e.name, e.by, None if e.objective is None else f"{e.objective:.9g}", e.below_best,
            None if e.dual_bound is None else f"{e.dual_bound:.9g}",
            None if e.share_wrong is None else f"{100 * e.share_wrong:.2f}%", e.steps, e.seconds)
