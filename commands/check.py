"""`--check NAME`: is this method right? What is run, printed and written."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from checks.fits.judge import judge_fit
from checks.guides.guide import Guide, is_guide
from checks.guides.judge import judge_guide
from checks.kernels.judge import judge
from checks.kernels.kernel import Kernel
from checks.kernels.nearest import ZOO
from checks.problems.load import problems
from checks.verdict import Outcome, Verdict
from errors import InputError, unknown
from inference import load
from inference.job import generator
from inference.method import Family, Method
from inference.options import option
from inference.user_file import import_file
from runs import folder
from runs.request import settings
from views import check as views
from views import tables

KINDS = {"grid": "1", "factorization": "2 or 3"}
RATINGS = ("factorization", "ladder")  # the plain model of ratings, and where noise, priors and biases are learned
SHOWN = 8  # findings in the table
COLOUR = {Outcome.RIGHT: "green", Outcome.WRONG: "bold red", Outcome.UNKNOWN: "yellow"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("--check").add_argument
    add("--check", required=True, metavar="NAME|FILE.py|all", help="a method by name, in a file, or all there are")
    add("--set", action="append", default=[], metavar="OPTION=VALUE", help="an option of the method; repeatable")
    add("--out", type=Path, metavar="DIR", help="a new or empty directory (default: a new one under results/)")
    add("--problem", choices=("1", "2", "3"), help="whose model a file's kernel is for (default: found out)")
    add("--model", choices=("plain", "ladder"), help="of ratings: plain, or where noise, priors and biases are learned "
        "too (default: plain for a file that runs there)")
    add("--seed", type=int, default=0)
    add("--budget", type=float, default=300.0, metavar="SECONDS", help="for each method (default 300)")
    add("--level", type=float, default=1e-3, help="probability that a right method is called wrong (default 0.001)")


def run(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Judge one method, or all; the exit status is the worst verdict's: 0 right, 1 wrong, 3 cannot tell."""
    if not args.budget > 0:
        raise InputError(f"--budget must be a positive number of seconds, not {args.budget:g}")
    console = tables.console()
    wanted = everything() if args.check == "all" else [found(args.check, args.problem, args.model)]
    if any(method.family is Family.POINT for _, method in wanted):
        raise InputError(f"{args.check} gives a point: there is no distribution to judge")
    chosen = [options(method, args.set) for _, method in wanted]
    out = folder.create(args.out, "check", argv)
    verdicts = []
    for (kind, method), given in zip(wanted, chosen, strict=True):
        verdict = judged(method, kind, given, args)
        verdict.by_design = not getattr(method.module, "EXACT", True)
        verdicts.append(verdict)
        if len(wanted) == 1:
            show(console, verdict)
        name = f"check-{method.name}" if len(wanted) > 1 else "check"
        folder.write_json(out / f"{name}.json", folder.finite(verdict.to_json()))
        views.scores(out / f"{name}.png", verdict.to_json())
    if len(wanted) > 1:
        summary(console, verdicts)
    console.print(f"the figures and JSON are in {out}", soft_wrap=True)
    statuses = {v.outcome.status for v in verdicts if len(verdicts) == 1 or not v.by_design}
    return 1 if 1 in statuses else max(statuses)


def judged(method: Method, kind: str, given: dict[str, Any], args: argparse.Namespace) -> Verdict:
    """The verdict, by what the method is."""
    if is_guide(method.module):
        return judge_guide(Guide.of(method.module, method.name), seed=args.seed, level=args.level,
                           budget=args.budget)
    if method.guide:
        asked = importlib.import_module("checks.guides.pyro").of(method, given)  # which imports Pyro
        return judge_guide(asked, seed=args.seed, level=args.level, budget=args.budget)
    if method.family is Family.VARIATIONAL:
        return judge_fit(method, kind, given, seed=args.seed, level=args.level, budget=args.budget)
    return judge(Kernel(method, given), kind, seed=args.seed, level=args.level, budget=args.budget)


def everything() -> list[tuple[str, Method]]:
    """Every method the project ships that has a distribution to judge."""
    methods = [(kind, load.method(kind, name)) for kind in KINDS for name in load.names(kind)]
    return [of_ratings(m, None) if kind == "factorization" else (kind, m)
            for kind, m in methods if m.family is not Family.POINT]


def options(method: Method, given: Sequence[str]) -> dict[str, Any]:
    """`--set name=value`, as the types the method's signature asks for."""
    return {name: option(method, name, value) for name, value in settings(given).items()}


def found(name: str, problem: str | None, model: str | None) -> tuple[str, Method]:
    """The method and the kind of model it is for. Errors: InputError for a name or file that is none."""
    if name.startswith("zoo/"):
        known_mistakes = {path.stem: path for path in ZOO.glob("*/[a-z]*.py")}
        if name.removeprefix("zoo/") not in known_mistakes:
            raise unknown("mistake in the zoo", name.removeprefix("zoo/"), known_mistakes)
        path = known_mistakes[name.removeprefix("zoo/")]
        name, problem = str(path), "1" if path.parent.name == "grid" else "3"
        model = "ladder" if path.parent.name == "ladder" else model
    if name.endswith(".py") and is_guide(module := import_file(Path(name))):
        unused: Any = None
        return "factorization", Method(Path(name).stem, Family.VARIATIONAL, "user", module, unused, unused, unused)
    known = {kind: load.names(kind) for kind in KINDS}
    for kind, names in known.items():
        if name in names and problem and (problem == "1") != (kind == "grid"):
            raise InputError(f"{name} is a method of Problem {KINDS[kind]}, not of Problem {problem}")
        if name in names:
            problem = "1" if kind == "grid" else "3"
    if problem == "1":
        return "grid", load.method("grid", name)
    if problem:
        return of_ratings(load.method("factorization", name), model)
    if ".py" not in name:
        raise unknown("method", name, [n for names in known.values() for n in names])
    method = load.method("grid", name)
    troubles = {kind: trouble(method, kind) for kind in ("grid", *RATINGS)}
    fits = {"grid" if kind == "grid" else "ratings" for kind, why in troubles.items() if why is None}
    if len(fits) != 1:
        why = "runs on both models" if fits else "; ".join(f"{kind}: {said}" for kind, said in troubles.items())
        raise InputError(f"say which model {name} is for, --problem 1 (grids) or --problem 3 (factorizations) "
                         f"({why})")
    return ("grid", method) if fits == {"grid"} else of_ratings(method, model)


def of_ratings(method: Method, model: str | None) -> tuple[str, Method]:
    """The model of ratings to judge it on. Ours where more is learned, if it learns it; a file's kernel, which may
    just hand on what it does not know, where it is asked to be or is at home."""
    if model or method.family is not Family.MCMC:
        return "ladder" if model == "ladder" else "factorization", method
    kinds = RATINGS if method.by == "user" else RATINGS[::-1]
    return next((kind for kind in kinds if trouble(method, kind) is None), "factorization"), method


def trouble(method: Method, kind: str) -> str | None:
    """Why the method does not take a step on the first problem of that kind, or None."""
    problem = problems(kind)[0]
    rng = generator(0, "which model")
    latents, data = problem.joint(rng, 1)
    try:
        state = method.init(rng, problem.model, problem.one(data, 0))
        first = method.draw(rng, state, problem.model) if kind == "ladder" else {}
        state, _ = method.step(rng, state, problem.model, problem.one(data, 0))
        drawn = method.draw(rng, state, problem.model)
    except Exception as error:  # whatever it is that does not fit this model, the other may fit
        return f"{type(error).__name__}: {error}"
    if set(drawn) != set(latents):
        return f"it draws {', '.join(drawn)}"
    still = [site for site in first if site not in ("U", "V") and torch.equal(first[site], drawn[site])]
    return f"it leaves {', '.join(still)} alone" if still else None  # handed through by a kernel for U and V


def show(console: Console, verdict: Verdict) -> None:
    """The verdict in words and a table."""
    console.print(f"[{COLOUR[verdict.outcome]}]{verdict.headline}[/]", soft_wrap=True)
    for fault in verdict.faults[1:]:
        console.print(f"  {fault}", soft_wrap=True)
    if verdict.findings:
        tables.show(console, "What is off, worst first", ("quantity", "where", "is", "sd", "z", "mean", "should be"),
                    [(f.quantity, f.where, f.direction, abs(f.sd), f"{f.z:+.1f}", f.mean, f.expected)
                     for f in verdict.findings[:SHOWN]])
    for line in verdict.implied:
        console.print(f"implied: {line}", soft_wrap=True)
    for name, likeness, symptom in verdict.nearest:
        console.print(f"looks like zoo/{name} ({likeness:.2f}): {symptom}", soft_wrap=True)
    if verdict.exclusion:
        console.print(verdict.exclusion, soft_wrap=True)
    for line in verdict.warnings:
        console.print(f"[yellow]note[/]: {line}", soft_wrap=True)
    if verdict.tested:
        unit = verdict.tested[0].get("unit", "replicates")
        tables.show(console, "Tested", ("problem", unit, "functions", "scores"),
                    [(t["problem"], t["replicates"], t["functions"], (1 if "unit" in t else 2) * t["functions"])
                     for t in verdict.tested])
    console.print(f"{verdict.assurance} ({verdict.seconds:.1f} s, seed {verdict.seed})", soft_wrap=True)


def summary(console: Console, verdicts: list[Verdict]) -> None:
    tables.show(console, "Everything that samples", ("method", "verdict", "replicates", "seconds", "because"),
                [(v.method, v.word, sum(t["replicates"] for t in v.tested), v.seconds,
                  None if v.outcome is Outcome.RIGHT else v.headline) for v in verdicts])

