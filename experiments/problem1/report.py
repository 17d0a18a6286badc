"""Problem 1's table, figures and sentences, an image at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from data.colours import filled
from data.pictures import write_array, write_labels
from data.png import MOST_COLOURS
from experiments.problem1 import words
from experiments.problem1.cases import Case
from experiments.problem1.study import GridEntry, Study
from inference.result import Result
from runs.run import Run
from views import grid as views
from views import pictures, tables


def show(this: Run, study: Study, posterior: bool = False) -> list[GridEntry]:
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
    beta = case.beta_that_mixes
    this.say(*case.said, *words.unsettled(results, (H, W)), *words.unmixed(entries),
             *words.stranded(entries, beta, case.favour), *words.filled_in(entries), *compared)
    for line in words.left_out(study.refused):
        this.console.print(f"[dim]{escape(line)}[/]", soft_wrap=True)
    this.console.print()
    place = this.folder / case.folder
    observed = None if case.observed is None else case.observed.numpy()
    pictures.denoised(place, case.name, observed, case.clean, results, case.palette, words.notes(entries, beta))
    if case.clean is not None:
        pictures.wrong(place, case.name, observed, case.clean, results)
    this.say(*leave(place, case, results, posterior))
    views.entropy(place, case.name, results)
    views.convergence(place, case.name, results)
    if judge:
        views.marginals(place, case.name, judge, results)
        views.evidence_ladder(place, case.name, judge, results)
    return entries


def leave(place: Path, case: Case, results: Sequence[Result], posterior: bool) -> list[str]:
    """Each method's most probable labels as a PNG in the image's colours, and its marginals as .npy if asked."""
    found = {r.name: r.expected["labels"] for r in results if "labels" in r.expected}
    H, W, K = case.model.shape
    said = [f"Every method's most probable labels are in NAME.png ({next(iter(found))}.png), one pixel for each of the "
            f"image's" + (", in its colours." if case.palette else ".")] if found and K <= MOST_COLOURS else []
    for name, marginals in found.items():
        if K <= MOST_COLOURS:
            write_labels(place / f"{name}.png", marginals.argmax(-1), filled(case.palette, K))
        if posterior:
            write_array(place / f"{name}.npy", marginals)
    if posterior and found:
        said.append(f"Their marginals, ({H}, {W}, {K}), are in NAME.npy, {8e-6 * H * W * K:.2g} MB each.")
    return said


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
