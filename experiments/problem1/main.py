"""Problem 1: denoise an image with a grid Markov random field, by every method there is."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from errors import InputError
from experiments.problem1 import cases as cases1
from experiments.problem1 import checkpoints as checkpoints1
from experiments.problem1 import words as words1
from experiments.problem1.cases import Case
from inference.diagnostics import chains_of_labels
from inference.job import Plan
from inference.method import Family, Method
from inference.result import Result
from runs import folder
from runs.ending import conclude, resumable
from runs.runner import Task, choose_options, running, settings, trial
from views import grid as views
from views import tables

PROBLEM = "1"
JUDGES = ("strip", "brute_force", "variable_elimination_pgmpy", "junction_tree_pgmpy")  # the first that ran
LARGE_PIXELS = 10_000

add_arguments = cases1.add_arguments


def run(args: argparse.Namespace, argv: Sequence[str], resume: Path | None) -> int:
    console = tables.console()
    if args.outside and not checkpoints1.available(args.outside):
        raise InputError(f"--outside {args.outside} holds none of {', '.join(g.path for g in checkpoints1.OUTSIDE)}")
    cases = cases1.cases(args)
    if args.export:
        return cases1.export(cases[0], args.export, console)
    options = choose_options(list({m.name: m for c in cases for m in c.methods}.values()),
                             {"schedule": args.schedule, "damping": args.damping})
    settled = choose_options(list({m.name: m for c in cases for m in c.methods}.values()), settings(args.set), "--set ")
    options = {name: options[name] | more for name, more in settled.items()}
    tasks, refused = _tasks(cases, options, args)
    out = resume or folder.create(args.out, PROBLEM, argv)
    with resumable(out):
        console.print(f"[bold]Problem 1[/]: {', '.join(c.name for c in cases)} -> {out}")
        results: dict[str, list[Result]] = {case.name: [] for case in cases}
        with running(out, console) as runner:
            for case, task in tasks:
                results[case.name].append(runner(task))
        if args.bare:
            return folder.bare(out, PROBLEM, argv, args.seed, [r for case in cases for r in results[case.name]])
        entries = [entry for case in cases for entry in _show(console, case, results[case.name], out, refused)]
        checkpoints = checkpoints1.run({m.name for c in cases for m in c.methods}, args.outside)
        return conclude(console, out, PROBLEM, argv, args.seed, checkpoints, entries)


def _tasks(cases: list[Case], options: dict[str, dict[str, Any]], args: argparse.Namespace
           ) -> tuple[list[tuple[Case, Task]], dict[tuple[str, str], str]]:
    """What can run, in order; and why the rest cannot, by (case, method)."""
    tasks: list[tuple[Case, Task]] = []
    refused: dict[tuple[str, str], str] = {}
    for case in cases:
        for method in case.methods:
            task = Task(method, case.model, None, _plan(method, case, args), options[method.name],
                        case.folder, case.name)
            try:
                trial(method, case.model, None, task.options, args.seed)
                tasks.append((case, task))
            except InputError as error:
                if case.insist:
                    raise
                refused[case.name, method.name] = str(error)
    if not tasks:
        raise InputError("none of the methods can run: " + "; ".join(refused.values()))
    return tasks, refused


def _plan(method: Method, case: Case, args: argparse.Namespace) -> Plan:
    large = case.model.unary[..., 0].numel() > LARGE_PIXELS
    if method.family is not Family.MCMC:
        return Plan(_default(args.sweeps, 30), draws=10 if large else 100, seed=args.seed)
    sweeps = _default(args.sweeps, 100 if large else 200 if method.by == "pgmpy" else 2000)
    return Plan(sweeps, _default(args.chains, 2 if large else 4), warmup=sweeps // 5, seed=args.seed)


def _default(given: int | None, otherwise: int) -> int:
    return otherwise if given is None else given


def _show(console: Console, case: Case, results: list[Result], out: Path, refused: dict) -> list[dict[str, Any]]:
    """The table and the figures of one case; returns its lines of `summary.json`."""
    judge = next((r for name in JUDGES for r in results if r.name == name), None)
    entries = []
    for r in results:
        error = np.abs(r.expected["labels"] - judge.expected["labels"]) if judge and "labels" in r.expected else None
        wrong = None
        if case.clean is not None and "labels" in r.expected:
            wrong = float((r.expected["labels"].argmax(-1) != case.clean).mean())
        entries.append(folder.method_entry(
            r, image=case.name, share_wrong=wrong,
            max_error=None if error is None else float(error.max()),
            mean_error=None if error is None else float(error.mean()),
            oscillating=bool(r.facts.get("oscillating")), **chains_of_labels(r)))
    tables.show(console, f"{case.name}: {case.model.shape[0]} x {case.model.shape[1]}, {case.model.shape[2]} labels"
                + (f"; errors are against {judge.name}" if judge else "; too large for an exact answer"),
                ("method", "by", "log Z", "", "max error", "mean error", "wrong pixels", "residual",
                 "R-hat", "ESS", "sweeps", "seconds"),
                [(e["name"], e["by"], None if e["log_evidence"] is None else f"{e['log_evidence']:.9g}",
                  e["log_evidence_kind"], e["max_error"], e["mean_error"],
                  None if e["share_wrong"] is None else f"{100 * e['share_wrong']:.2f}%",
                  "oscillates" if e["oscillating"] else e["residual"], e["rhat"],
                  None if e["ess"] is None else round(e["ess"]), e["steps"], e["seconds"])
                 for e in entries])
    compared = words1.comparison(judge, results) if judge else []
    for sentence in words1.unsettled(results) + words1.unmixed(entries) + compared:
        console.print(sentence, highlight=False, soft_wrap=True)
    for (name, method), why in refused.items():
        if name == case.name:
            console.print(f"[dim]{method} was left out: {why}[/]", soft_wrap=True)
    console.print()
    place = out / case.folder
    observed = None if case.observed is None else case.observed.numpy()
    views.denoised(place, case.name, observed, case.clean, results)
    views.entropy(place, case.name, results)
    views.convergence(place, case.name, results)
    if judge:
        views.marginals(place, case.name, judge, results)
        views.evidence_ladder(place, case.name, judge, results)
    return entries
