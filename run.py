"""The door: `python run.py --problem 1` runs one experiment and says where its results are."""

from __future__ import annotations

import argparse
import importlib
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from errors import InputError, Interrupted

PROBLEMS = {
    "1": "image denoising with a grid Markov random field",
    "2": "Bayesian matrix factorization of ratings, variational inference",
    "3": "Gibbs sampling for the factorization of ratings, against maximum likelihood",
}


class Parser(argparse.ArgumentParser):
    """Wrong arguments are one sentence, like every other wrong input."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; `python run.py --help` lists what there is")


def parser_for(problem: str | None) -> Parser:
    """The arguments that every problem has, and those of one problem if it is named."""
    parser = Parser(prog="run.py", description="One model, many ways to infer it, each judged against the others.",
                    epilog="--problem N --help lists the options of problem N; compare --help those of the "
                    "comparison of saved results")
    parser.add_argument("--problem", choices=list(PROBLEMS), metavar="N",
                        help="; ".join(f"{n}: {what}" for n, what in PROBLEMS.items()))
    parser.add_argument("--out", type=Path, metavar="DIR",
                        help="where the results go: a new or empty directory (default: a new one under results/)")
    parser.add_argument("--resume", type=Path, metavar="DIR", help="go on with a run that was stopped")
    parser.add_argument("--check", metavar="NAME|FILE.py|all",
                        help="is this method right? a verdict with its error probability; options: --check all --help")
    parser.add_argument("--list", nargs="?", const="", metavar="NAME",
                        help="list the methods, or the options of one method, and stop")
    parser.add_argument("--sweep", nargs="+", metavar="OPTION=VALUES",
                        help="run every combination, like method=coordinate_ascent,row_gibbs rank=1-10 seed=0-4, and "
                        "compare them")
    parser.add_argument("--jobs", type=int, metavar="N",
                        help="runs of a sweep at a time (default: the number of cores)")
    if problem:
        experiment(problem).add_arguments(parser)
    return parser


def experiment(problem: str) -> ModuleType:
    return importlib.import_module(f"experiments.problem{problem}.main")


def own_door(module: str, prog: str, description: str, argv: list[str]) -> int:
    """`--check NAME` and `compare RESULT...` have arguments of their own."""
    inside = importlib.import_module(f"commands.{module}")
    parser = Parser(prog=prog, description=description)
    inside.add_arguments(parser)
    return inside.run(parser.parse_args(argv), argv)


def main(argv: list[str]) -> int:
    if any(word.partition("=")[0] == "--check" for word in argv):
        return own_door("check", "run.py", "Is a method right? Exit status 0: right, 1: wrong, 3: cannot tell.", argv)
    if argv[:1] == ["compare"]:
        return own_door("compare", "run.py compare", "Saved results of one problem in one table and one set of "
                        "figures.", argv[1:])
    problem_parser = Parser(add_help=False)
    problem_parser.add_argument("--problem")
    problem_parser.add_argument("--resume", type=Path)
    known, _ = problem_parser.parse_known_args(argv)
    resume = known.resume
    if resume:
        argv = importlib.import_module("runs.folder").stored_arguments(resume)
        known, _ = problem_parser.parse_known_args(argv)
    problem = known.problem if known.problem in PROBLEMS else None
    parser = parser_for(problem)
    args = parser.parse_args(argv)
    if args.list is not None:
        importlib.import_module("commands.listing").show(args.list)
        return 0
    if problem is None:
        raise InputError("say which problem: " + "; ".join(f"--problem {n} is {what}" for n, what in PROBLEMS.items()))
    if args.sweep:
        return importlib.import_module("commands.sweep").run(parser, args, argv, resume)
    return experiment(problem).run(args, argv, resume)


def guarded(argv: list[str]) -> int:
    """`main`, with what the user should read instead of a traceback."""
    try:
        return main(argv)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (Interrupted, KeyboardInterrupt) as stopped:
        print(f"\n{str(stopped) or 'stopped'}", file=sys.stderr)
        return 130


if __name__ == "__main__":
    try:
        status = guarded(sys.argv[1:])
    except Exception:
        traceback.print_exc()
        status = 70  # a fault of ours is none of the other statuses: 1 says that a check failed
    sys.exit(status)
