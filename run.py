"""The door: `python run.py --problem 1` runs one experiment and says where its results are."""

from __future__ import annotations

import signal

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # there is nothing to save before `guarded`, nor a word to be said

import ast
import importlib
import sys
import traceback
from pathlib import Path
from types import ModuleType

import files
import room
from commands import streams
from commands.parser import Parser
from errors import InputError, Interrupted
from ranks import group

PROBLEMS = {path.parent.name.removeprefix("problem"): ast.get_docstring(ast.parse(path.read_text())) or ""
            for path in sorted(Path(__file__).parent.glob("experiments/problem*/__init__.py"))}


DIVIDED = ("2", "3")  # whose users several ranks, as torchrun starts them, divide among themselves
ALONE = ("--check", "--list", "--play", "--sweep", "compare", "predict")  # what one process does


def parser_for(problem: str | None) -> Parser:
    """The arguments of every door, and those of one problem if it is named."""
    parser = Parser(listed=f"python run.py {f'--problem {problem} ' if problem else ''}--help", prog="run.py",
                    description="One model, many ways to infer it, each judged against the others.",
                    epilog="--problem N --help lists the options of problem N; compare --help those of the "
                    "comparison of saved results, predict --help those of predictions from one")
    add = parser.add_argument_group("what to do").add_argument
    add("--problem", metavar="N|all|FILE.py", help="; ".join(f"{n}: {what}" for n, what in PROBLEMS.items())
        + "; all: these, and one report; or a file with a Pyro program of your own")
    add("--check", metavar="NAME|FILE.py|all",
        help="is this method right? a verdict with its error probability; options: --check --help")
    add("--list", nargs="?", const="", metavar="NAME", help="list the methods, or the options of one method, and stop")
    add("--play", action="store_true", help="open pages to play with in the browser, on this machine alone")
    add("--sweep", nargs="+", metavar="OPTION=VALUES",
        help="run every combination, like method=coordinate_ascent,row_gibbs rank=1-10 seed=0-4, and compare them")
    add("--jobs", type=int, metavar="N", help="runs of a sweep at a time (default: the number of cores)")
    add("--cluster", metavar="ADDRESS", help="hand the runs of a sweep to the workers of a Dask scheduler, like "
        "tcp://10.0.0.1:8786")
    add("--resume", type=Path, metavar="DIR", help="go on with a run that was stopped; without any other word")
    if problem:
        experiment(problem).Request.add_arguments(parser)
    return parser


def experiment(problem: str) -> ModuleType:
    """One of ours by number, or any file's program."""
    place = f"problem{problem}" if problem in PROBLEMS else "program"
    return importlib.import_module(f"experiments.{place}.main")


def known(problem: str | None) -> bool:
    """Whether there is such a problem. Errors: InputError for a word that is neither one of ours nor a file."""
    if problem is None or problem in PROBLEMS or problem.endswith(".py"):
        return problem is not None
    if ".py:" in problem:
        raise InputError(f"--problem {problem}: give the file alone, and what it holds by --method {problem}")
    raise InputError(f"--problem takes {', '.join(PROBLEMS)}, all, or a file with a Pyro program of your own, mine.py, "
                     f"not '{problem}'; `python run.py --help` lists what there is")


def command(name: str) -> ModuleType:
    return importlib.import_module(f"commands.{name}")


def refuse_ranks(argv: list[str], problem: str | None) -> None:
    """Errors: InputError where several ranks are asked for what one process does."""
    words = [word.partition("=")[0] for word in argv]
    what = next((word for word in ALONE if word in words), f"--problem {problem}")
    if group.size() > 1 and (what in ALONE or problem not in (*DIVIDED, None)):
        raise InputError(f"{what} is not divided among the {group.size()} processes that torchrun started, as "
                         f"--problem {' and '.join(DIVIDED)} are: run it by python run.py")


def own_door(name: str, prog: str, description: str, argv: list[str],
             *more: Path | None) -> int:
    """`--check NAME`, `compare RESULT...` and `predict RESULT` have arguments of their own."""
    inside = command(name)
    parser = Parser(listed=f"python run.py {'--check' if name == 'check' else name} --help", prog=prog,
                    description=description)
    inside.add_arguments(parser)
    found: int = inside.run(parser.parse_args(argv), argv, *more)
    return found


def main(argv: list[str]) -> int:
    group.join()
    refuse_ranks(argv, None)
    if argv[:1] == ["compare"]:
        return own_door("compare", "run.py compare", "Saved results of one problem in one table and one set of "
                        "figures.", argv[1:])
    if argv[:1] == ["predict"]:
        return own_door("predict", "run.py predict", "Predictions from a saved fit of ratings, without refitting.",
                        argv[1:])
    first = Parser(listed="python run.py --help", add_help=False)
    first.add_argument("--problem")
    first.add_argument("--resume", type=Path)
    first.add_argument("--cluster")
    found, others = first.parse_known_args(argv)
    resume, cwd = found.resume, None
    if resume:
        again = ["--problem", found.problem] if found.problem else []
        argv, cwd = group.first(lambda: command("resume").arguments(resume, [*again, *others]))
        argv += [f"--cluster={found.cluster}"] if found.cluster else []
        found, _ = first.parse_known_args(argv)
    refuse_ranks(argv, found.problem)
    if any(word.partition("=")[0] == "--check" for word in argv):
        return own_door("check", "run.py", "Is a method right? Exit status 0: right, 1: wrong, 2: cannot be "
                        "judged, 3: cannot tell.", argv, resume)
    if found.problem == "all":
        parsers = {name: parser_for(name) for name in PROBLEMS}
        return command("every").run({name: experiment(name) for name in PROBLEMS}, parsers, argv, resume)
    problem = found.problem if known(found.problem) else None
    parser = parser_for(problem)
    args = parser.parse_args(argv)
    if args.list is not None:
        return command("listing").run(args)
    if args.play:
        return command("play").run(argv)
    if problem is None:
        raise InputError("say which problem: " + "; ".join(f"--problem {n} is {what}" for n, what in PROBLEMS.items())
                         + "; --problem mine.py is a Pyro program of your own")
    if (resume or args.sweep) and getattr(args, "export", None):
        raise InputError("--export writes an image and stops: there is nothing to sweep, and nothing to go on with")
    if args.sweep:
        return command("sweep").run(parser, experiment(problem), args, argv, resume, cwd)
    if args.jobs is not None:
        raise InputError("--jobs is how many runs of a --sweep go at a time: there is no --sweep here")
    if args.cluster:
        raise InputError("--cluster is who runs the cells of a --sweep: there is no --sweep here")
    inside = experiment(problem)
    request = inside.Request.made(vars(args), argv, resume, cwd)
    request.refuse_idle([request])
    request.refuse_taken()
    return inside.run(request)


def guarded(argv: list[str]) -> int:
    """`main`, with what the user should read instead of a traceback."""
    try:
        with streams.stopping():
            status = main(argv)
            sys.stdout.flush()
            return status
    except InputError as error:
        return refused(str(error))
    except BrokenPipeError:
        return streams.unheard()
    except OSError as error:  # full, read-only, gone, not allowed: of the machine, not of ours
        return refused(files.said(error))
    except MemoryError:
        return refused(f"the memory was not enough, {room.size(room.free())} are free: end other programs, or ask for "
                       f"less")
    except (Interrupted, KeyboardInterrupt) as stopped:
        signum = getattr(stopped, "signum", 2)
        if signum != 2 and (lost := group.lost()):  # torchrun ends the others when one is gone
            return refused(lost)
        if group.rank() == 0:
            print(f"\n{str(stopped) or 'stopped'}", file=sys.stderr)
        return 128 + signum


def refused(why: str) -> int:
    """The exit status; of several ranks that say the same the first says it."""
    if why := group.ending(why):
        print(f"error: {why}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    streams.opened()
    try:
        status = guarded(sys.argv[1:])
    except Exception:
        traceback.print_exc()
        group.ending("a fault")
        status = 70  # a fault of ours is none of the other statuses: 1 says that a check failed
    group.leave(status)
    sys.exit(status)
