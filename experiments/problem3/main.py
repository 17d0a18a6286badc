"""Problem 3: Gibbs sampling for the factorization of ratings, against maximum likelihood and variational answers."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from data.ratings import Ratings, Split, load_ratings, subsample
from errors import InputError
from experiments import ratings
from experiments.problem3 import checkpoints as checkpoints3
from experiments.problem3 import measures as chains
from experiments.problem3 import report as report3
from experiments.problem3.study import Study
from inference import load
from inference.job import Plan, generator
from inference.method import Family
from inference.result import Result
from models.factorization import Factorization
from models.ladder import make
from runs import fits, folder
from runs.ending import conclude, resumable
from runs.fits import Fit
from runs.runner import SET, Runner, Task, choose_options, device, running, settings, trial
from views import tables

PROBLEM = "3"
KERNELS = ("row_gibbs", "kernel_row_gibbs_pyro")  # the same sweep by hand and inside Pyro
LADDER = ("noise", "hierarchical", "biases", "hierarchical+biases", "noise+hierarchical+biases")
LADDER_KERNEL = "ladder_gibbs"
LADDER_RANK = 3  # on the real ratings
POINT = "maximum_likelihood"
COMPARED = "coordinate_ascent,guide_mean_field_pyro"
RANKS = "1,2,3,5,10"
SHARE = 0.1  # of the training set, the assignment's own wish
OUTSIDE = Path(__file__).parents[2] / "shared" / "data"  # used where it is there
JESTER = "jester-5k.csv.gz"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    ratings.add_arguments(parser)
    add = parser.add_argument_group("problem 3").add_argument
    add("--kernel", action="append", metavar="NAME|FILE.py[:OPTION=VALUE,...]",
        help=f"a sampler by name or from a file; repeatable (default: {', '.join(KERNELS)})")
    add("--set", action="append", default=[], metavar="OPTION=VALUE", help=SET)
    add("--model", default="plain", metavar="NAME",
        help=f"plain, or what is learned besides U and V: noise, hierarchical (priors of the rows), biases, or several "
        f"joined by + (default plain; others are sampled by {LADDER_KERNEL})")
    add("--rank", type=int, default=2, metavar="K", help="number of factors (default 2)")
    add("--ranks", default=RANKS, metavar="A-B|A,B,...",
        help=f"then the first kernel and {POINT} at each of these ranks, on all of the training set and on a tenth "
        f"(default {RANKS}; all of the assignment's: 1-10; none: leave it out)")
    add("--compare", default=COMPARED, metavar="NAME,...|none",
        help=f"other methods whose predictions are compared with the first kernel's (default {COMPARED})")
    add("--sweeps", type=int, default=100, help="of every chain, burn-in included (default 100)")
    add("--burn-in", type=int, help="sweeps whose draws do not count in the end (default a fifth)")
    add("--thin", type=int, default=1, help="keep every so manyth draw for the diagnostics (default 1)")
    add("--chains", type=int, default=2, help="at --rank (default 2); the ladder of ranks has one")
    add("--samples", type=int, default=100, help="draws from q for the NLL of methods that are not chains")
    add("--seed", type=int, default=0)
    add("--device", default="cpu", help="cpu or cuda")
    add("--outside", type=Path, metavar="DIR", default=OUTSIDE if OUTSIDE.is_dir() else None,
        help=f"a directory with {JESTER}, for the checkpoints on real ratings")


def run(args: argparse.Namespace, argv: Sequence[str], resume: Path | None) -> int:
    console = tables.console()
    where = device(args.device)
    if args.outside and not args.outside.is_dir():
        raise InputError(f"--outside {args.outside} is not a directory")
    if args.bare:
        args.ranks = args.compare = "none"
        args.outside = None
    plain = args.model == "plain"
    kernels = [fits.parse(spec) for spec in args.kernel or (KERNELS if plain else (LADDER_KERNEL,))]
    for kernel in kernels:
        if kernel.method.family is not Family.MCMC:
            raise InputError(f"--kernel {kernel.method.name} is no sampler (its family is {kernel.method.family}): "
                             f"name one under --compare, or run Problem 2")
    compared = [] if args.compare == "none" or not plain else [fits.parse(name) for name in args.compare.split(",")]
    settled = choose_options([fit.method for fit in (*kernels, *compared)], settings(args.set), "--set ")
    kernels, compared = ([Fit(f.method, settled[f.method.name] | dict(f.options)) for f in group]
                         for group in (kernels, compared))
    plan = _plan(args)
    parts = ratings.load(args, console)
    parts = Split(parts.train.to(where), parts.validation.to(where), parts.test.to(where))
    ranks = chains.parse_ranks(args.ranks, parts.train.num_items)
    model = make(args.model, parts.train.num_users, parts.train.num_items, args.rank, device=where)
    ask = ratings.unrated(parts.train, args.recommend) if args.recommend else None
    for fit in (*kernels, *compared):
        trial(fit.method, model, parts.train, fit.options, args.seed)
    out = resume or folder.create(args.out, PROBLEM, argv)
    with resumable(out):
        console.print(f"[bold]Problem 3[/]: {parts.train.num_users:,} users, {parts.train.num_items:,} items, "
                      f"{len(parts.train):,} ratings to train on, {len(parts.validation):,} and {len(parts.test):,} to "
                      f"validate and test -> {out}", soft_wrap=True)
        study, small = Study(), subsample(parts.train, SHARE, rng=generator(args.seed, "share"))
        with running(out, console) as runner:
            for fit in kernels:
                study.main.append(runner(chains.task(fit, model, parts, plan, label=f"K={args.rank}", ask=ask)))
            for fit in compared:
                study.compared.append(runner(chains.task(fit, model, parts, plan, samples=args.samples)))
            _climb(study, runner, kernels[0], ranks, parts, small, model, plan)
            if args.outside and (args.outside / JESTER).exists():
                _real(study, runner, args.outside / JESTER, args.seed, console)
        entries = [] if args.bare else report3.show(console, out, study, parts, small, args)
        if ask is not None:
            ratings.recommend(console, args.recommend, args.top, parts.train, ask, study.main[0])
        if args.bare:
            return folder.bare(out, PROBLEM, argv, args.seed, study.main)
        checkpoints = checkpoints3.run(study)
        return conclude(console, out, PROBLEM, argv, args.seed, checkpoints, entries)


def _plan(args: argparse.Namespace) -> Plan:
    if args.sweeps < 1:
        raise InputError(f"--sweeps must be at least 1, not {args.sweeps}")
    burn_in = args.sweeps // 5 if args.burn_in is None else args.burn_in
    if not 0 <= burn_in < args.sweeps:
        raise InputError(f"--burn-in must lie between 0 and the sweeps, {args.sweeps}, not {burn_in}: "
                         f"some sweeps must be left to keep")
    return Plan(args.sweeps, args.chains, burn_in, args.thin, seed=args.seed)


def _climb(study: Study, runner: Runner, kernel: Fit, ranks: Sequence[int], parts: Split, small: Ratings,
           model: Factorization, plan: Plan) -> None:
    """The first kernel and maximum likelihood at each rank, on all of the training set and on a share of it."""
    point = Fit(load.method("factorization", POINT), {})
    one = Plan(plan.steps, 1, plan.warmup, plan.thin, seed=plan.seed)
    for share, train in ((1.0, parts.train), (SHARE, small)):
        here = Split(train, parts.validation, parts.test)
        for K in ranks:
            def fitted(fit: Fit, K: int = K, here: Split = here, share: float = share) -> Result:
                of_rank = replace(model, rank=K) if fit is kernel else Factorization(
                    model.num_users, model.num_items, K, device=model.device)
                name = f"rank{K}" + ("" if share == 1 else f"-{100 * share:.0f}%")
                return runner(chains.task(fit, of_rank, here, one, Path(name.replace("%", "pct")),
                                          f"K={K}" + ("" if share == 1 else f", {100 * share:.0f}%")))
            study.gibbs[share, K], study.point[share, K] = fitted(kernel), fitted(point)


def _real(study: Study, runner: Callable[[Task], Result], path: Path, seed: int, console: Console) -> None:
    """Plain Gibbs on real ratings, at the lengths of the published numbers."""
    everything = load_ratings(path, say=lambda line: console.print(line, soft_wrap=True, highlight=False))
    parts = checkpoints3.real_split(everything)
    kernel = Fit(load.method("factorization", "row_gibbs"), {})
    for K in checkpoints3.REAL:
        model = Factorization(everything.num_users, everything.num_items, K)
        study.real[K] = runner(chains.task(kernel, model, parts, Plan(150, 1, 50, seed=seed),
                                           Path("jester-5k") / f"rank{K}", f"real, K={K}"))
    study.ladder["plain"] = study.real[LADDER_RANK]
    kernel = Fit(load.method("factorization", LADDER_KERNEL), {})
    for name in LADDER:
        model = make(name, everything.num_users, everything.num_items, LADDER_RANK)
        study.ladder[name] = runner(chains.task(kernel, model, parts, Plan(150, 1, 50, seed=seed),
                                                Path("jester-5k") / name, f"real, {name}"))
