"""Problem 3: Gibbs sampling for the factorization of ratings, against maximum likelihood and variational answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.markup import escape

from comparison import takeaway
from data.ratings import Ratings, Split, load_ratings, subsample
from errors import InputError
from experiments.problem3 import checkpoints, report, words
from experiments.problem3.request import LADDER_KERNEL, POINT, Request
from experiments.problem3.study import ByShare, Study
from experiments.ratings import recommend, sets, side, tasks
from experiments.ratings.request import JESTER
from experiments.ratings.words import scales, times
from inference.job import Plan, generator
from inference.method import Family
from inference.result import Result
from models.factorization import Factorization
from models.ladder import make
from models.ordinal import fitted, named
from models.ratings import Pairs
from ranks import group
from runs import options
from runs.options import Fit
from runs.run import Run, begun
from runs.runner import Runner, running
from runs.task import Task, trial
from views import tables

__all__ = ["Request", "run"]

LADDER = ("noise", "hierarchical", "biases", "hierarchical+biases", "noise+hierarchical+biases")
LADDER_RANK = 3  # on the real ratings
SHARE = 0.1  # of the training set, the assignment's own wish
POINT_SWEEPS = 300  # at most; a point stops when it has converged


def run(request: Request) -> int:
    """Exit status 0 if every checkpoint passed, 1 if one failed. Errors: InputError, before anything is written."""
    console = tables.console()
    fits, ranks, parts = request.chosen(), request.ranked, sets.load(request, console, request.of_time)
    model = named(request.model, parts.train.num_users, parts.train.num_items, request.rank, device=request.place,
                 **request.variances)
    model = side.with_files(model, parts.train, (request.user_features, request.item_features), request.columns,
                            not request.no_implicit,
                            partial(console.print, soft_wrap=True, highlight=False, markup=False))
    if ranks:
        replace(model, rank=max(ranks))  # a rank that is too large is said now
    ask = recommend.unrated(parts.train, request.recommend) if request.recommend else None
    todo = [task(fit, model, parts, request, ask) for fit in fits]
    if request.use_times and parts.test.time is None:
        raise InputError(f"--use-times: the ratings of {request.test_ratings} have no times; name their column, "
                         f"--columns ...,time=..., or leave --use-times out")
    for each in todo:
        trial(each)
    with begun(request, console) as this:
        console.print(f"[bold]Problem 3[/]: {parts.train.num_users:,} users, {parts.train.num_items:,} items, "
                      f"{parts.train.total:,} ratings to train on, {len(parts.validation):,} and {len(parts.test):,} "
                      f"to validate and test -> {escape(str(this.folder))}", soft_wrap=True)
        ready = fitted(model, parts.train)
        this.say(*scales(ready, parts.train), *times(ready, parts.test, request.use_times))
        small = subsample(parts.train, SHARE, rng=generator(request.seed, "share"))
        with running(this.folder, console) as runner:
            results = [runner(each) for each in todo]
            gibbs, point = climb(runner, request, fits[0], model, parts, small)
            real, ladder = on_real(runner, request, this)
        if group.rank():
            return 0
        kernels = len(request.kernels)
        study = Study(request.rank, parts, small, results[:kernels], results[kernels:], gibbs, point, real, ladder)
        with this.busy("tables and figures"):
            entries = report.bare(this, study) if request.bare else report.show(this, study)
        if request.recommend and ask is not None:
            recommend.recommend(this, request.recommend, request.top, parts.train, ask, study.main[0])
        if request.bare:
            return this.bare(study.main, entries)
        with this.busy("checkpoints"):
            found = checkpoints.run(study, request.reference)
        said = (takeaway.predicts([*study.main, *study.compared]), words.doubtful(entries))
        return this.conclude(found, entries, " ".join(filter(None, said)))


def task(fit: Fit, model: Factorization, parts: Split, request: Request, ask: Pairs | None = None) -> Task:
    """A method at --rank; `ask` is for the kernels, whose draws recommend."""
    chain = fit.method.family is Family.MCMC
    return scored(fit, model, parts, request.plan, label=f"K={request.rank}" if chain else "", samples=request.samples,
                  ask=ask if chain else None, clip=request.clip, predicts=True, times=request.use_times)


def scored(fit: Fit, model: Factorization, parts: Split, plan: Plan, place: Path = Path(), label: str = "",
            samples: int = 100, ask: Pairs | None = None, clip: bool = False, predicts: bool = False,
            times: bool = False) -> Task:
    """The method on `parts.train`. `plan` is for chains; other methods run until they have converged.

    Of variational fits the training set is not scored: a hundred draws after every epoch would cost more than the
    fit, and Problem 2 has it.
    """
    if fit.method.family is not Family.MCMC:
        steps = POINT_SWEEPS if fit.method.family is Family.POINT else tasks.default_epochs(fit.method)
        plan = Plan(steps, tolerance=tasks.TOLERANCE, draws=tasks.DRAWS, seed=plan.seed)
    return tasks.task(fit, model, parts, plan, place=place, label=label, samples=samples, ask=ask, joint=True,
                      clip=clip, predicts=predicts, times=times,
                      train_every=None if fit.method.family is Family.VARIATIONAL else 1)


def climb(runner: Callable[[Task], Result], request: Request, kernel: Fit, model: Factorization, parts: Split,
          small: Ratings) -> tuple[ByShare, ByShare]:
    """The first kernel and maximum likelihood at each rank, on all of the training set and on a share of it."""
    point, plan = options.parse("factorization", POINT), replace(request.plan, chains=1)
    plain = make("plain", model.num_users, model.num_items, 1, device=model.device, **request.variances)
    found: tuple[dict[tuple[float, int], Result], ...] = ({}, {})
    for share, train in ((1.0, parts.train), (SHARE, small)):
        some = Split(train, parts.validation, parts.test)
        folder, label = ("", "") if share == 1 else (f"-{100 * share:.0f}pct", f", {100 * share:.0f}%")
        for K in request.ranked:
            for fit, of, results in ((kernel, model, found[0]), (point, plain, found[1])):
                results[share, K] = runner(scored(fit, replace(of, rank=K), some, plan, Path(f"rank{K}{folder}"),
                                                   f"K={K}{label}", clip=request.clip, times=request.use_times))
    return found[0], found[1]


def on_real(runner: Runner, request: Request, this: Run) -> tuple[dict[int, Result], dict[str, Result]]:
    """Plain Gibbs at several ranks, and what each part of the model is worth, on real ratings at the lengths of the
    published numbers; nothing without --outside."""
    if request.bare or request.outside is None:
        return {}, {}
    everything = load_ratings(request.outside / JESTER, say=lambda line: this.say(line))
    parts, plan = checkpoints.real_split(everything), Plan(150, 1, 50, seed=request.seed)
    users, items, place = everything.num_users, everything.num_items, Path("jester-5k")
    fit = options.parse("factorization", "row_gibbs")
    real = {K: runner(scored(fit, Factorization(users, items, K), parts, plan, place / f"rank{K}", f"real, K={K}"))
            for K in checkpoints.REAL}
    fit = options.parse("factorization", LADDER_KERNEL)
    ladder = {name: runner(scored(fit, make(name, users, items, LADDER_RANK), parts, plan, place / name,
                                   f"real, {name}")) for name in LADDER}
    return real, {"plain": real[LADDER_RANK]} | ladder
