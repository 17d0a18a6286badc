"""`--check NAME`: is this method right? What is run, printed and written."""

from __future__ import annotations

import argparse
import importlib
import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.text import Text

from checks import journal
from checks.asked import PROGRAM, Asked
from checks.door import chosen_options, everything, found, judged
from checks.verdict import COLUMNS, SHOWN, Outcome, Verdict
from errors import InputError
from runs import folder
from runs.busy import Pulse
from runs.options import split
from runs.request import settings
from runs.run import resumable
from runs.runner import saved
from runs.started import Started
from runs.story import Story
from views import check as views
from views import tables
from views.numbers import three

PROBLEMS = sorted(p.name.removeprefix("problem") for p in Path(__file__).parents[1].glob("experiments/problem*"))
MODELS = {"plain": "factorization"} | {name: name for name in ("ladder", "features", "time", "ordinal")}  # their tests
JOURNAL = "check.journal.npz"  # in the folder: what a stopped check goes on from
COLOUR = {Outcome.RIGHT: "green", Outcome.WRONG: "bold red", Outcome.UNKNOWN: "yellow",
          Outcome.UNFIT: "bold red"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("--check").add_argument
    add("--check", nargs="?", metavar="NAME|FILE.py[:OPTION=VALUE,...]|all",
        help="a method by name, in a file, with options of its own; or all there are")
    add("--set", action="append", default=[], metavar="OPTION=VALUE", help="an option of the method; repeatable")
    add("--out", type=Path, metavar="DIR", help="a new or empty directory (default: a new one under results/)")
    add("--problem", metavar="N|FILE.py", help="whose model the kernel is for: one of ours, or that of a file of yours "
        "(default: found out; a file with a `model` is judged on that)")
    add("--model", choices=tuple(MODELS), help="of ratings: plain, or where noise, priors and biases are learned too, "
        "or with features, effects of time, or of ordered levels (default: plain for a file that runs there)")
    add("--seed", type=int, default=0)
    add("--budget", type=float, default=300.0, metavar="SECONDS",
        help="processor seconds for each method (default 300)")
    add("--level", type=float, default=1e-3, help="probability that a right method is called wrong (default 0.001)")


def run(args: argparse.Namespace, argv: Sequence[str], resume: Path | None = None) -> int:
    """Judge one method, or all, or go on with that in a folder; the exit status is the worst verdict's: 0 right, 1
    wrong, 2 cannot be judged, 3 cannot tell."""
    if args.check is None:
        raise InputError("--check takes the name of a method or guide, a file, or all; `python run.py --check --help` "
                         "lists its options")
    if not args.budget > 0:
        raise InputError(f"--budget must be a positive number of seconds, not {args.budget:g}")
    name, own = split(args.check)
    given, console, judge_all = settings(args.set) | settings(own), tables.console(), name == "all"
    if judge_all and (args.problem or args.model):
        raise InputError("--check all judges everything on its own problems: leave out --problem and --model")
    wanted = everything() if judge_all else [asked(name, args.problem, args.model)]
    options = [chosen_options(asked_of, given) for asked_of in wanted]
    out = resume or folder.create(args.out, "check", argv)
    with folder.held(out), resumable(out, argv):
        if resume:
            Started.read(resume).check(resume, Started.now("check", argv, Path.cwd(), {}))
        with folder.withdrawn_on_error(out), journal.written(out / JOURNAL) as book:
            verdicts = [book.verdict(partial(judgement, console, args, asked_of, chosen))
                        for asked_of, chosen in zip(wanted, options, strict=True)]
            report(Story(console, out, "check"), args, argv, wanted, verdicts)
    if book.saves:
        console.print(saved(book.saves), soft_wrap=True, highlight=False)
    statuses = {v.outcome.status for v in verdicts if not (judge_all and v.by_design)}
    return next(status for status in (1, 2, 3, 0) if status in statuses)


def judgement(console: Console, args: argparse.Namespace, asked_of: Asked, chosen: dict[str, object]) -> Verdict:
    """One verdict, seen to while it is made."""
    with console.status(f"judging {escape(asked_of.name)}") as status:  # nothing where nobody watches
        return judged(asked_of, chosen, seed=args.seed, level=args.level, budget=args.budget,
                      watch=partial(progress, status, Pulse(), asked_of.name))


def report(story: Story, args: argparse.Namespace, argv: Sequence[str], wanted: Sequence[Asked],
           verdicts: Sequence[Verdict]) -> None:
    """What was found, on the terminal and in the folder."""
    judge_all, out = args.check == "all", story.folder
    for asked_of, verdict in zip(wanted, verdicts, strict=True):
        if not judge_all:
            if asked_of.problems.kind == PROGRAM:
                story.say(f"judged on {asked_of.problems.of}")
            show(story, verdict)
        name = f"check-{asked_of.name}" if judge_all else "check"
        folder.write_json(out / f"{name}.json", folder.finite(verdict.to_json()))
        if verdict.scores:
            drawn = views.scores(out / f"{name}.png", f"{verdict.method}: {verdict.outcome}", verdict.scores)
            story.figure(drawn, caption(verdict))
    if judge_all:
        summary(story, verdicts)
    said = overall(verdicts) if judge_all else verdicts[0].headline
    story.write(f"Is {args.check} right?", shlex.join(["python", "run.py", *argv]), args.seed, said)
    figures = f"the figure{'s' * judge_all}, JSON and report.html are"
    figures = figures if any(v.scores for v in verdicts) else "check.json and report.html are"
    story.console.print(f"{figures} in {out}", soft_wrap=True, highlight=False, markup=False)


def progress(status: Status, pulse: Pulse, name: str, doing: str) -> None:
    status.update(escape(f"judging {name}: {doing}"))
    pulse(f"judging {name}: {doing}")


def caption(verdict: Verdict) -> str:
    """What the figure of a verdict shows, with its number."""
    z = [abs(score["place"]) for scores in verdict.scores.values() for score in scores if score["place"] is not None]
    return (f"{verdict.method}, {verdict.word}: of {len(z)} functions the farthest lies {max(z, default=0.0):.1f} "
            f"standard errors from where it should; of a right method about 1 in 100 lies beyond {views.EXPECTED}.")


def overall(verdicts: Sequence[Verdict]) -> str:
    """How many methods are right, and which are not."""
    wrong = [v.method for v in verdicts if v.outcome is not Outcome.RIGHT and not v.by_design]
    right = sum(v.outcome is Outcome.RIGHT for v in verdicts)
    return f"{right} of {len(verdicts)} methods are right" + (f"; look at {', '.join(wrong)}." if wrong else ".")


def asked(name: str, problem: str | None, model: str | None) -> Asked:
    """What is meant. Errors: InputError for a problem or a model that there is not."""
    if problem and problem.endswith(".py"):
        if model:
            raise InputError("--model chooses among our models of ratings: leave it out beside --problem FILE.py")
        from checks.own_model import problems_in  # imports Pyro

        return found(name, kind=PROGRAM, problems=problems_in(problem))
    if problem and problem not in PROBLEMS:
        raise InputError(f"--problem takes {', '.join(PROBLEMS)}, or a file with a Pyro program of yours, not "
                         f"'{problem}'")
    return found(name, kind=kind_of(problem), problems=MODELS.get(model or ""))


def kind_of(problem: str | None) -> str | None:
    """The kind of model that a problem is about."""
    return importlib.import_module(f"experiments.problem{problem}.main").Request.kind if problem else None


def show(story: Story, verdict: Verdict) -> None:
    """The verdict in words and a table."""
    story.console.print(Text(verdict.headline, COLOUR[verdict.outcome]), soft_wrap=True)
    story.say(*(f"  {fault}" for fault in verdict.faults[1:]))
    if verdict.findings:
        story.table("What is off, worst first", COLUMNS,
                    [(f.quantity, f.where, f.direction, abs(f.sd), f"{f.z:+.1f}", f.mean, f.expected)
                     for f in verdict.findings[:SHOWN]], ("z", "where"))
    story.say(*(f"implied: {line}" for line in verdict.implied),
              *(f"looks like zoo/{name} ({likeness:.2f}): {symptom}" for name, likeness, symptom in verdict.nearest))
    if verdict.nearest:
        story.say("(a hint: of 15 mistakes that are not in the zoo and for which one was named, it was the right one "
                  "for 10)")
    story.say(*(line for line in (verdict.exclusion, verdict.information) if line))
    story.doubt(*(f"note: {line}" for line in verdict.warnings))
    if verdict.tested:
        unit = verdict.tested[0].get("unit", "replicates")
        story.table("Tested", ("problem", unit, "functions", "scores"),
                    [(t["problem"], t["replicates"], t["functions"], (1 if "unit" in t else 2) * t["functions"])
                     for t in verdict.tested])
    took = f"{verdict.seconds:.1f} s, seed {verdict.seed}"
    story.say(f"{verdict.assurance} ({took})" if verdict.assurance else took)


def summary(story: Story, verdicts: Sequence[Verdict]) -> None:
    story.table("Everything that samples", ("method", "verdict", "replicates", "seconds", "because"),
                [(v.method, v.word, sum(t["replicates"] for t in v.tested), three(v.seconds),
                  None if v.outcome is Outcome.RIGHT else v.headline) for v in verdicts], ("replicates", "seconds"))
