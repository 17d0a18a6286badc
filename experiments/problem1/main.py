"""Problem 1: denoise an image with a grid Markov random field, by every method there is."""

from __future__ import annotations

from rich.markup import escape

from errors import InputError
from experiments.problem1 import cases, checkpoints, conformance, export, report
from experiments.problem1.request import Request
from experiments.problem1.study import Study, best, exact
from experiments.problem1.takeaway import take_away
from runs.run import begun
from runs.runner import running
from views import tables
from views.figures import begin

__all__ = ["Request", "run"]


def run(request: Request) -> int:
    """Exit status 0 if every checkpoint passed, 1 if one failed. Errors: InputError, before anything is written."""
    console = tables.console()
    if request.conformance:
        return conformance.run(request, request.conformance, console)
    found = cases.cases(request)
    if request.export:
        console.print(export.export(found[0][0], request.export), soft_wrap=True, highlight=False, markup=False)
        return 0
    tried = [(case, *case.tasks(fits, request)) for case, fits in found]
    if not any(tasks for _, tasks, _ in tried):
        raise InputError("none of the methods can run: " + "; ".join(why for *_, no in tried for why in no.values()))
    with begun(request, console) as this:
        names = ", ".join(case.name for case, *_ in tried)
        console.print(f"[bold]Problem 1[/]: {escape(f'{names} -> {this.folder}')}")
        with running(this.folder, console) as runner:
            ran = [(case, [runner(task) for task in tasks], refused) for case, tasks, refused in tried]
        if request.bare:
            return this.bare([result for _, results, _ in ran for result in results])
        with this.busy("exact answers, tables and figures"):
            studies = [Study(case, results, refused, exact(case, results), best(case, results))
                       for case, results, refused in ran]
            begin(r.name for study in studies for r in study.results)
            entries = [entry for study in studies for entry in report.show(this, study, request.posterior)]
        said = [take_away(study.case.name, [e for e in entries if e.image == study.case.name]) for study in studies]
        with this.busy("checkpoints"):
            checked = checkpoints.run({fit.method.name for _, fits in found for fit in fits}, request.reference,
                                      request.outside)
        return this.conclude(checked, entries, " ".join(filter(None, said)))
