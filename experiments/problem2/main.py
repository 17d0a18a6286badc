"""Problem 2: Bayesian matrix factorization of ratings, in Pyro and by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.markup import escape

from comparison import takeaway
from data.ratings import Split
from experiments.problem2 import checkpoints, report
from experiments.problem2.request import RANKED, RANKED_SCORES, Request
from experiments.problem2.study import Study
from experiments.ratings import recommend, sets, tasks
from experiments.ratings.words import scales
from models.factorization import Factorization
from models.ladder import make
from models.ratings import Pairs
from ranks import group
from runs import options
from runs.options import Fit
from runs.run import begun
from runs.runner import running
from runs.task import Task, trial
from views import tables

__all__ = ["Request", "run"]


def run(request: Request) -> int:
    """Exit status 0 if every checkpoint passed, 1 if one failed. Errors: InputError, before anything is written."""
    console = tables.console()
    fits, ranks, parts = request.chosen(), request.ranked, sets.load(request, console)
    ask = recommend.unrated(parts.train, request.recommend) if request.recommend else None
    todo = main_tasks(request, fits, parts, ask)
    for task in todo:
        trial(task)
    if ranks:
        model(request, parts, max(ranks))  # a rank that is too large is said now
    with begun(request, console) as this:
        console.print(f"[bold]Problem 2[/]: {parts.train.num_users:,} users, {parts.train.num_items:,} items, "
                      f"{parts.train.total:,} ratings to train on, {len(parts.validation):,} to validate, "
                      f"{len(parts.test):,} to test -> {escape(str(this.folder))}", soft_wrap=True)
        this.say(*scales(model(request, parts, request.rank), parts.train))
        with running(this.folder, console) as runner:
            results = [runner(task) for task in todo]
            ladder = fits[0] if request.asked else options.parse("factorization", RANKED)
            ranked = {K: runner(task) for K, task in ranked_tasks(request, ladder, parts)}
        if group.rank():
            return 0
        study = Study(request, parts, results, ranked)
        with this.busy("tables and figures"):
            entries = report.scores(this, study) if request.bare else report.show(this, study)
        if request.recommend and ask is not None:
            recommend.recommend(this, request.recommend, request.top, parts.train, ask, study.best)
        if request.bare:
            return this.bare([*results, *ranked.values()], entries)
        with this.busy("checkpoints"):
            found = checkpoints.run([fit.name for fit in fits], request.reference, request.outside)
        said = (takeaway.predicts(results), takeaway.bounds(results, study.num_ratings))
        return this.conclude(found + checkpoints.of_run(study), entries, " ".join(filter(None, said)))


def model(request: Request, parts: Split, rank: int) -> Factorization:
    return make(request.model, parts.train.num_users, parts.train.num_items, rank, device=request.place,
                **request.variances)


def main_tasks(request: Request, fits: list[Fit], parts: Split, ask: Pairs | None) -> list[Task]:
    """Every fit at --rank."""
    at = model(request, parts, request.rank)
    return [tasks.task(fit, at, parts, tasks.plan(fit.method, request.epochs, request.seed), samples=request.samples,
                       ask=ask, clip=request.clip, predicts=True) for fit in fits]


def ranked_tasks(request: Request, fit: Fit, parts: Split) -> Iterator[tuple[int, Task]]:
    """One of them at each rank, made as they are run: each holds scores of its own."""
    for K in request.ranked:
        plan = tasks.plan(fit.method, request.epochs, request.seed)
        yield K, tasks.task(fit, model(request, parts, K), parts, plan, place=Path(f"rank{K}"), label=f"K={K}",
                            samples=request.ranked_samples, train_every=RANKED_SCORES, clip=request.clip)
