"""Problem 2: Bayesian matrix factorization of ratings, in Pyro and by hand."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from data.ratings import Split
from errors import InputError
from experiments import ratings
from experiments.problem2 import checkpoints as checkpoints2
from experiments.problem2 import gradients
from experiments.problem2 import words as words2
from inference.job import generator
from inference.method import Family
from inference.result import Result
from runs import fits, folder
from runs.ending import conclude, resumable
from runs.fits import Fit
from runs.runner import SET, choose_options, device, running, settings, trial
from views import factorization as views
from views import tables

PROBLEM = "2"
DEFAULT = ("coordinate_ascent", "coordinate_ascent:covariance=row", "guide_mean_field_pyro", "elbo_by_hand",
           "svi_auto_pyro:guide=AutoNormal",
           "maximum_likelihood:algorithm=als", "maximum_likelihood:algorithm=als,map=yes",
           "maximum_likelihood:algorithm=sgd")
WITHOUT_BIASES = ("coordinate_ascent:covariance=row", "maximum_likelihood:algorithm=sgd")  # no --biases for these
PREDICTED = ("coordinate_ascent", "guide_mean_field_pyro", "maximum_likelihood_als", "maximum_likelihood_als_map")
RANKED, RANKS = "coordinate_ascent", "1-10"  # what is run afterwards unless the arguments say otherwise
# The ladder of ranks is scored more cheaply, since scoring is most of its time: 1 in 10 of the training ratings, and
# a quarter of the samples, which raises an NLL by some 0.001 at every rank.
RANKED_SCORES, RANKED_SAMPLES = 10, 4
OUTSIDE = Path(__file__).parents[2] / "shared" / "data"  # used where it is there


def add_arguments(parser: argparse.ArgumentParser) -> None:
    ratings.add_arguments(parser)
    add = parser.add_argument_group("problem 2").add_argument
    add("--method", action="append", metavar="NAME|FILE.py[:OPTION=VALUE,...]",
        help="a method by name or from a file, with options of its own (--list NAME shows them); repeatable")
    add("--guide", action="append", metavar="NAME|FILE.py[:NAME]",
        help="a guide by name (--list), or one of your own from a file, fitted by SVI; repeatable")
    add("--set", action="append", default=[], metavar="OPTION=VALUE", help=SET)
    add("--rank", type=int, default=2, metavar="K", help="number of factors (default 2)")
    add("--ranks", metavar="A-B|A,B,...|none",
        help=f"then {RANKED}, or the first --method, at each of these ranks (default {RANKS}; with --method none)")
    add("--epochs", type=int, help="passes over the ratings, at most (default: what each method needs)")
    add("--batch-size", type=int, help="ratings in a minibatch, for the methods that have them")
    add("--lr", type=float, help="learning rate, for the methods that have one")
    add("--recipe", help="default, or reference: the assignment's settings, where a method has the choice")
    add("--biases", action="store_true",
        help="the model with a bias for every user and item, r ~ N(u.v + b + c, 1), their priors those of U and V")
    add("--samples", type=int, default=100, help="draws from q for every NLL (default 100)")
    add("--seed", type=int, default=0)
    add("--device", default="cpu", help="cpu or cuda")
    add("--outside", type=Path, metavar="DIR",
        default=OUTSIDE if (OUTSIDE / checkpoints2.REAL).is_file() else None,
        help=f"a directory with {checkpoints2.REAL}, for the checkpoints on real ratings")


def run(args: argparse.Namespace, argv: Sequence[str], resume: Path | None) -> int:
    console = tables.console()
    where = device(args.device)
    if args.outside and not (args.outside / checkpoints2.REAL).is_file():
        raise InputError(f"--outside {args.outside} holds no {checkpoints2.REAL}")
    chosen = choose(args)
    ranks = parse_ranks(args.ranks or ("none" if args.method or args.guide or args.bare else RANKS))
    parts = on_device(ratings.load(args, console), where)
    ask = ratings.unrated(parts.train, args.recommend) if args.recommend else None
    common: dict[str, Any] = {"epochs": args.epochs, "samples": args.samples, "seed": args.seed, "device": where,
                              "model_name": "biases" if args.biases else "plain"}
    for fit in chosen:  # what cannot run is said before anything is written
        task = fits.task(fit, parts, args.rank, **common)
        trial(fit.method, task.model, parts.train, fit.options, args.seed)
    if ranks:
        fits.task(chosen[0], parts, max(ranks), **common)
    out = resume or folder.create(args.out, PROBLEM, argv)
    with resumable(out):
        console.print(f"[bold]Problem 2[/]: {parts.train.num_users:,} users, {parts.train.num_items:,} items, "
                      f"{len(parts.train):,} ratings to train on, {len(parts.validation):,} to validate, "
                      f"{len(parts.test):,} to test -> {out}", soft_wrap=True)
        ranked: dict[int, Result] = {}
        cheaper = common | {"samples": -(-args.samples // RANKED_SAMPLES), "train_every": RANKED_SCORES}
        sweep = chosen[0] if args.method or args.guide else fits.parse(RANKED)
        with running(out, console) as runner:
            results = [runner(fits.task(fit, parts, args.rank, ask=ask, **common)) for fit in chosen]
            for K in ranks:
                ranked[K] = runner(fits.task(sweep, parts, K, place=Path(f"rank{K}"), label=f"K={K}", **cheaper))
        entries = [] if args.bare else show(console, out, parts, args, results, ranked)
        if ask is not None:
            known = "validation_nll" if len(parts.validation) else "test_nll"
            best = min(results, key=lambda r: float(r.expected.get(known, np.inf)))
            ratings.recommend(console, args.recommend, args.top, parts.train, ask, best)
        if args.bare:
            return folder.bare(out, PROBLEM, argv, args.seed, [*results, *ranked.values()])
        own = args.ratings != "jester-like" or args.subsample != 1 or any(
            (args.biases, args.split, args.epochs, args.lr, args.batch_size, args.set))
        checkpoints = checkpoints2.run([fit.method.name for fit in chosen], args.outside)
        checkpoints += checkpoints2.of_run(results, ranked, parts.train, None if own else args.recipe or "default")
        return conclude(console, out, PROBLEM, argv, args.seed, checkpoints, entries)


def choose(args: argparse.Namespace) -> list[Fit]:
    """The methods asked for, or the default ones, with the options that each of them takes."""
    specs = [*(args.method or []), *map(fits.of_guide, args.guide or [])]
    chosen = [fits.parse(spec) for spec in specs or DEFAULT if specs or not args.biases or spec not in WITHOUT_BIASES]
    twice = {fit.method.name for fit in chosen if sum(f.method.name == fit.method.name for f in chosen) > 1}
    if twice:
        raise InputError(f"{', '.join(sorted(twice))} is asked for twice")
    # Of points a learning rate and a batch mean something else; theirs are given with --method name:lr=...
    takers = [f.method for f in chosen if f.method.family is Family.VARIATIONAL] or [f.method for f in chosen]
    shared = choose_options(takers, {"lr": args.lr, "batch_size": args.batch_size, "recipe": args.recipe})
    settled = choose_options([f.method for f in chosen], settings(args.set), "--set ")
    return [Fit(fit.method, shared.get(fit.method.name, {}) | settled[fit.method.name] | dict(fit.options))
            for fit in chosen]


def parse_ranks(text: str) -> list[int]:
    """'1-10' or '1,2,5' -> the ranks; 'none' -> none."""
    if text == "none":
        return []
    try:
        ends = [[int(n) for n in part.split("-")] for part in text.split(",")]
    except ValueError:
        ends = [[]]
    if not all(len(e) in (1, 2) and e[0] <= e[-1] for e in ends):
        raise InputError(f"--ranks is none, or ranks like 1-10 or 1,2,5, not '{text}'")
    return sorted({K for e in ends for K in range(e[0], e[-1] + 1)})


def on_device(parts: Split, where: torch.device) -> Split:
    return Split(parts.train.to(where), parts.validation.to(where), parts.test.to(where))


def show(console: Console, out: Path, parts: Split, args: argparse.Namespace, results: list[Result],
         ranked: dict[int, Result]) -> list[dict[str, Any]]:
    """The tables, the words and the figures; returns the lines of `summary.json`."""
    N = len(parts.train)
    told = [r for r in results if "elbo" in r.trace and r.by != "hand"] or [r for r in results if "elbo" in r.trace]
    for r in told if args.method else told[:1]:
        epochs(console, r, N, args.samples)
    entries = [fits.entry(r, args.rank, N) for r in results]
    tables.show(console, f"Comparison at K = {args.rank}: ELBO and NLL in nats per rating; seconds of fitting, in all "
                "and to 1% of the best", (
                "method", "by", "ELBO", "train NLL", "valid.", "test", "test RMSE", "epochs", "seconds", "to 1%"), [
        (e["name"], e["by"], number(e["elbo_per_rating"]), number(e["train_nll"]), number(e["validation_nll"]),
         number(e["test_nll"]), number(e["test_rmse"]), e["steps"], e["seconds"], e["seconds_to_1_percent"])
        for e in entries])
    if ranked:
        lines = [fits.entry(r, K, N) for K, r in ranked.items()]
        samples = -(-args.samples // RANKED_SAMPLES)
        tables.show(console, f"{lines[0]['name']} at each rank; NLLs over {samples} samples, train NLL of 1 in "
                    f"{RANKED_SCORES} ratings", (
            "K", "ELBO", "train NLL", "test NLL", "test RMSE", "epochs", "seconds"), [
            (e["rank"], number(e["elbo_per_rating"]), number(e["train_nll"]), number(e["test_nll"]),
             number(e["test_rmse"]), e["steps"], e["seconds"]) for e in lines])
        entries += [e for e in lines if e["rank"] != args.rank or e["name"] not in [r.name for r in results]]
        views.by_rank(out, ranked, N)
    noise = gradients.spreads(parts.train, args.rank, generator(args.seed, "gradients", parts.train.device))
    views.gradients(out, noise)
    for sentence in [*words2.comparison(results, N), *words2.ranks(ranked, N), gradients.in_words(noise)]:
        console.print(sentence, soft_wrap=True, highlight=False)
    console.print()
    views.learning(out, results, N, checkpoints2.TRAJECTORY if args.recipe == "reference" else None)
    views.predictions(out, parts.test.rating.cpu().numpy(), [r for r in results if r.name in PREDICTED] or results[:4])
    count = torch.bincount(parts.train.user, minlength=parts.train.num_users)
    views.uncertainty(out, count[parts.test.user].cpu().numpy(), results)
    return entries


def epochs(console: Console, result: Result, num_ratings: int, samples: int) -> None:
    """The reference's printout: per epoch the ELBO as a loss, the time, and the three NLLs."""
    t = {name: values.mean(0) for name, values in result.trace.items()}
    seconds = result.seconds.mean(0).cumsum()
    steps = [s for s in range(result.steps) if s < 10 or (s + 1) % 10 == 0 or s == result.steps - 1]
    console.print(f"[bold]{result.name}[/]: the ELBO as a loss, and the NLL over {samples} samples of U and V; nats "
                  f"per rating, log(2 pi) / 2 = 0.919 included", soft_wrap=True, highlight=False)
    tables.show(console, "",
                ("epoch", "ELBO", "seconds", "train NLL", "validation NLL", "test NLL"),
                [(s + 1, number(-t["elbo"][s] / num_ratings), float(seconds[s]),
                  *(number(t[n][s]) if n in t else None for n in ("train_nll", "validation_nll", "test_nll")))
                 for s in steps])


def number(value: float | None) -> str | None:
    """Four decimals: what an NLL over some ten thousand ratings can tell apart."""
    return None if value is None else f"{value:.4f}"
