"""Problem 1's table, figures and sentences, an image at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from data.colours import filled
from data.pictures import write_array, write_labels
from data.png import MOST_COLOURS
from experiments.problem1 import captions, words
from experiments.problem1.cases import Case
from experiments.problem1.study import GridEntry, Study
from inference.grid.parts.constraints import least_possible
from inference.result import Result
from runs.run import Run
from views import chains, pictures
from views import grid as views
from views.numbers import rhat, three, whole


def show(this: Run, study: Study, posterior: bool = False) -> list[GridEntry]:
    """The table, the sentences and the figures; returns the lines of `summary.json`."""
    case, results, judge = study.case, study.results, study.judge
    entries = [GridEntry.on(study, result) for result in results]
    this.story.part(case.name)
    H, W, K = case.model.pixels
    wrapped = ", wrapped" if case.model.pixels != case.model.shape else ""
    points = [entry for entry in entries if entry.family == "point"]
    if len(points) < len(entries):
        this.table(f"{case.name}: {H} x {W}{wrapped}, {K} labels"
                   + (f"; errors are against {judge.name}" + ("" if judge in results else ", which was run for that")
                       if judge else f"; no exact answer: {study.unjudged}"),
                    ("method", "by", "log Z", "kind", "max error", "mean error", "wrong pixels", "residual",
                     "R-hat", "ESS", "sweeps", "seconds"), [row(entry) for entry in entries if entry not in points],
                   ("by", "mean error", "residual", "sweeps", "kind", "seconds", "ESS", "log Z", "R-hat"))
    if points:
        known = study.best is not None
        this.table(f"{case.name}: {H} x {W}{wrapped}, {K} labels; the most probable labelling"
                    + (f", whose log joint is {study.best:.9g} by strip" if known else ""),
                    ("method", "by", "log joint", "below the best" if known else "below the best, at most",
                     "none is above", "proved", "wrong pixels", "sweeps", "seconds"),
                    [point_row(entry) for entry in sorted(points, key=most_probable_first)],
                   ("by", "sweeps", "none is above", "proved"))
    forbids = any(case.model.forbids.values())
    this.story.doubt(*words.unsettled(results, (H, W)), *words.unmixed(entries),
                     *(words.impossible(entries, least_possible(case.model)) if forbids else []),
                     *words.stranded(entries, case.beta_that_mixes, case.favour))
    this.say(*case.said, *words.filled_in(entries), *(words.comparison(judge, results) if judge else []))
    left = words.left_out(study.refused)
    this.story.keep(said=left)
    for line in left:
        this.console.print(f"[dim]{escape(line)}[/]", soft_wrap=True)
    this.console.print()
    this.say(*leave(this.folder / case.folder, case, results, posterior))
    figures(this, study, entries)
    return entries


def figures(this: Run, study: Study, entries: Sequence[GridEntry]) -> None:
    """The figures, each with what it shows."""
    case, results, judge = study.case, study.results, study.judge
    place, story = this.folder / case.folder, this.story
    observed = None if case.observed is None else case.observed.numpy()
    notes = words.notes(entries, case.beta_that_mixes)
    story.figure(pictures.denoised(place, case.name, observed, case.clean, results, case.palette, notes),
                 captions.denoised(entries, results))
    if case.clean is not None:
        story.figure(pictures.wrong(place, case.name, observed, case.clean, results), captions.wrong(entries))
    story.figure(views.entropy(place, case.name, results), captions.entropy(results))
    story.figure(views.convergence(place, case.name, results), captions.convergence(entries))
    lit = {r.name: (r.draws["labels"] > 0).mean((2, 3)) for r in results if r.family == "mcmc" and "labels" in r.draws}
    story.figure(chains.traces(place / "chains.png", lit, "share of pixels not 0"), captions.chains(entries))
    if judge:
        story.figure(views.marginals(place, case.name, judge, results), captions.marginals(entries))
        story.figure(views.evidence_ladder(place, case.name, judge, results), captions.ladder(results, judge))


def leave(place: Path, case: Case, results: Sequence[Result], posterior: bool) -> list[str]:
    """Each method's most probable labels as a PNG in the image's colours, and its marginals as .npy if asked."""
    found = {r.name: r.expected["labels"] for r in results if "labels" in r.expected}
    H, W, K = case.model.pixels
    said = [f"Every method's most probable labels are in NAME.png ({next(iter(found))}.png), one pixel for each of the "
            f"image's" + (", in its colours." if case.palette else ".")] if found and K <= MOST_COLOURS else []
    for name, marginals in found.items():
        if K <= MOST_COLOURS:
            write_labels(place / f"{name}.png", marginals.argmax(-1), filled(case.palette, K))
        if posterior:
            write_array(place / f"{name}.npy", marginals)
    if posterior and found:
        alone = ", 0 and 1 of who finds a labelling alone" * any(r.family == "point" for r in results)
        said.append(f"Their marginals, ({H}, {W}, {K}), are in NAME.npy, {8e-6 * H * W * K:.2g} MB each{alone}.")
    return said


def row(e: GridEntry) -> tuple[object, ...]:
    """An entry as a line of the table."""
    kind = e.log_evidence_kind
    if e.log_evidence_se is not None:
        kind = f"{kind} ± {e.log_evidence_se:.2g}"
    return (e.name, e.by, None if e.log_evidence is None else f"{e.log_evidence:.9g}", kind, e.max_error,
            e.mean_error, None if e.share_wrong is None else f"{100 * e.share_wrong:.2f}%",
            "oscillates" if e.oscillating else e.residual, rhat(e.rhat), whole(e.ess), e.steps,
            three(e.seconds))


def most_probable_first(e: GridEntry) -> float:
    """By the log joint; a labelling that has none is impossible, and last."""
    return math.inf if e.objective is None else -e.objective


def point_row(e: GridEntry) -> tuple[object, ...]:
    """An entry as a line of the table of labellings."""
    return (e.name, e.by, None if e.objective is None else f"{e.objective:.9g}", e.below_best,
            None if e.dual_bound is None else f"{e.dual_bound:.9g}",
            None if e.proved is None else f"{100 * e.proved:.2f}%",
            None if e.share_wrong is None else f"{100 * e.share_wrong:.2f}%", e.steps, three(e.seconds))
