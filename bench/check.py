"""What `--check` finds and how often it is wrong: detection over the zoo, false alarms, Geweke and SBC beside it.

    python bench/check.py                     # detection over the zoo, and times
    python bench/check.py --false-alarms 20   # full runs of every right kernel, ours among them; --log FILE keeps them
    python bench/check.py --guides            # guides: detection, and runs of right ones
    python bench/check.py --program 1         # models of one's own: detection, and runs of right kernels
    python bench/check.py --peers             # Geweke's test and SBC on the same zoo at the same budget
    python bench/check.py --signatures        # writes checks/kernels/signatures.json anew

`--seeds` repeats the detection with other seeds, `--only` picks those whose set and name, time/periods_of_stale_days,
hold a word.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent))

import check_peers
import check_program

from checks.asked import SAMPLES, everything
from checks.guides import pyro as pyro_guide
from checks.guides.guide import Guide
from checks.guides.judge import judge_guide
from checks.kernels import trial as trials
from checks.kernels.judge import LOOKS, judge
from checks.kernels.kernel import Broken, Kernel
from checks.kernels.nearest import FILE, PROBLEMS, Signature, known, nearest, signature
from checks.kernels.score import Scale, learn
from checks.kernels.trial import REFERENCE, Trial
from checks.planted import ZOO
from checks.problems.load import problem_set, sets
from checks.problems.problem import Problem
from checks.verdict import Outcome, Verdict
from errors import InputError
from inference import load
from inference.engine import one_thread
from inference.method import Method
from inference.user_file import import_file

RIGHT = ZOO.parent / "right"
FOUND = (Outcome.WRONG, Outcome.UNFIT)


def kernels(folder: Path, only: str = "") -> Iterator[tuple[str, Kernel]]:
    """By the name of the set of test problems."""
    for problems in sets().values():
        for path in sorted((folder / problems.name).glob("[a-z]*.py")):
            if path.stem != "pieces" and only in f"{problems.name}/{path.stem}":
                yield problems.name, Kernel(load.method(problems.kind, str(path)))


def detection(seeds: int, only: str) -> None:
    """Verdicts over the zoo: found at which look, in what time; every miss by name."""
    found: dict[int, int] = dict.fromkeys(LOOKS, 0)
    missed, seconds = [], []
    first, among_three, named, guessed, runs = 0, 0, 0, 0, 0
    for kind, kernel in kernels(ZOO, only):
        for seed in range(seeds):
            started = time.process_time()
            verdict = judge(kernel, kind, seed=100 + seed, explain=False)
            spent, runs = time.process_time() - started, runs + 1
            if verdict.outcome in FOUND:
                seconds.append(spent)
                if verdict.findings:
                    names = guesses(kind, kernel, verdict, 500 + seed)
                    guessed, first = guessed + 1, first + (names[:1] == [kernel.method.name])
                    among_three += kernel.method.name in names
                    named += bool(names)
                found[max([t["replicates"] for t in verdict.tested], default=LOOKS[0])] += 1
            else:
                missed.append(f"{kernel.method.name} (seed {seed})")
    total = 0
    for n in LOOKS:
        total += found[n]
        print(f"found by {n:5,} replicates a problem: {total} of {runs} ({100 * total / runs:.1f}%)")
    print(f"median seconds of one core to a failure: {statistics.median(seconds):.2f}")
    print("missed:", ", ".join(missed) or "none")
    print(f"nearest known mistake, from replicates that did not make its signature: first guess {first}, "
          f"among three {among_three}, something else {named - among_three}, nothing {guessed - named} of {guessed}")


def guesses(kind: str, kernel: Kernel, verdict: Verdict, seed: int) -> list[str]:
    """The names nearest to a mistake, from fresh replicates, as many as found it."""
    rng = torch.Generator().manual_seed(seed)
    trials = [Trial(rng, kernel, problem) for problem in problem_set(kind).problems()[:PROBLEMS]]
    for trial in trials:
        with suppress(InputError):  # it does not take this problem
            trial.upto(verdict.tested[0]["replicates"])
    return [name for name, _, _ in nearest(trials)]


def guides(seeds: int, alarms: int) -> None:
    """Mistakes in guides found, and right guides called wrong; `alarms` runs of each without the fit."""
    missed, seconds, count, wrong, runs = [], [], 0, [], 0
    for guide in some_guides(ZOO):
        for seed in range(seeds):
            started = time.process_time()
            verdict = judge_guide(guide, "factorization", seed=100 + seed)
            seconds.append(time.process_time() - started)
            count += 1
            if verdict.outcome not in FOUND:
                missed.append(f"{guide.name} (seed {seed})")
    print(f"guides: found {count - len(missed)} of {count}; median {statistics.median(seconds):.2f} s of one core, "
          f"most {max(seconds):.0f} s; missed: {', '.join(missed) or 'none'}", flush=True)
    took = []
    for guide in some_guides(RIGHT):
        quick = guide.samples == Guide.samples
        for seed in range(alarms if quick else min(alarms, 3)):
            started = time.process_time()
            verdict = judge_guide(guide, "factorization", seed=10_000 + seed, fits=3 if seed == 0 else 0)
            runs += 1
            if seed == 0:
                took.append(f"{guide.name} {time.process_time() - started:.0f} s")
            if verdict.outcome in FOUND:
                wrong.append(f"{guide.name}, seed {seed}: {verdict.headline}")
    print(f"{len(wrong)} false alarms in {runs} runs of right guides; a pass with its fits: {', '.join(took)}")
    print("\n".join(wrong))


def some_guides(folder: Path) -> Iterator[Guide]:
    """Those of functions, and those written in Pyro."""
    for path in sorted((folder / "guides").glob("[a-z]*.py")):
        yield Guide.of(import_file(path), path.stem)
    for path in sorted((folder / "pyro").glob("[a-z]*.py")):
        yield pyro_guide.of(load.method("factorization", str(path)), {})


class Pool:
    """References of the largest look, made once and dealt out at random: most of a run's time is making them.

    Every run's references are fresh to it, and its confirmation gets another one with probability 7/8;
    runs that share one are not quite independent, which leaves the expected number of alarms as it is.
    """

    def __init__(self, size: int = 8) -> None:
        self.size, self.made = size, dict[str, list[Scale]]()

    def __call__(self, rng: torch.Generator, problem: Problem, draws: int) -> Scale:
        made = self.made.setdefault(problem.name, [])
        if len(made) < self.size:
            made.append(learn(rng, problem, REFERENCE * LOOKS[-1]))
            return made[-1]
        return made[int(torch.randint(self.size, (1,), generator=rng))]


def right_kernels(only: str) -> Iterator[tuple[str, Kernel]]:
    """Those that play a user's, and every method of ours that draws from the right distribution."""
    yield from kernels(RIGHT, only)
    for asked in everything():
        if isinstance(asked.what, Method) and asked.what.family in SAMPLES and asked.exact and only in asked.name:
            yield asked.problems.name, Kernel(asked.what, asked.options)


def false_alarms(runs: int, log: Path | None, only: str, budget: float) -> None:
    """Full runs of every right kernel, each with a seed of its own; a line each in `log`, from which it goes on."""
    trials.learn = Pool()  # type: ignore[attr-defined]
    done = log.read_text().splitlines() if log and log.exists() else []
    had, right = {tuple(line.split("\t")[:3]) for line in done}, list(right_kernels(only))
    for seed in range(runs):
        for kind, kernel in right:
            if (kind, kernel.method.name, str(seed)) in had:
                continue
            started = time.process_time()
            verdict = judge(kernel, kind, seed=10_000 + seed, budget=budget, explain=False)
            done.append("\t".join([kind, kernel.method.name, str(seed), str(verdict.outcome),
                                   f"{time.process_time() - started:.2f}", verdict.headline]))
            if log:
                with log.open("a") as file:
                    file.write(done[-1] + "\n")
    count([line.split("\t") for line in done])


def count(runs: list[list[str]]) -> None:
    """What the lines of the runs come to."""
    alarms = [run for run in runs if run[3] in FOUND]
    told = [run for run in runs if run[3] == Outcome.UNKNOWN]
    print(f"{len(alarms)} false alarms in {len(runs)} full runs of {len({tuple(run[:2]) for run in runs})} right "
          f"kernels ({len(told)} cannot tell); median {statistics.median(float(run[4]) for run in runs):.1f} s of one "
          f"core a run, references aside")
    for _, name, seed, _, _, headline in alarms:
        print(f"  {name}, seed {seed}: {headline}")


def signatures(only: str, replicates: int = 2000) -> None:
    """Mistakes' z's on every problem, as `checks/kernels/nearest.py` compares them; the others' stay as they are."""
    written: dict[str, dict[str, Signature]] = {problem: dict(of) for problem, of in known().items()} if only else {}
    for kind, of_kind in sets().items():
        mistakes = [kernel for name, kernel in kernels(ZOO, only) if name == kind]
        for problem in of_kind.problems() if mistakes else ():
            scale = learn(torch.Generator().manual_seed(1), problem, REFERENCE * replicates)
            for kernel in mistakes:
                trial = Trial(torch.Generator().manual_seed(2), kernel, problem)
                trial.scale = scale
                try:
                    written.setdefault(problem.name, {})[kernel.method.name] = signature(trial.upto(replicates))
                except (Broken, InputError) as error:
                    print(f"{kernel.method.name} on the {problem.name}: {error}")
    rows = ",\n".join(f'"{p}": {{\n' + ",\n".join(f'"{k}": {json.dumps(v, separators=(",", ":"))}'
                                                   for k, v in of.items()) + "\n}" for p, of in written.items())
    FILE.write_text("{\n" + rows + "\n}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--false-alarms", type=int, metavar="RUNS")
    parser.add_argument("--budget", type=float, default=300.0, help="processor seconds of each of these runs")
    parser.add_argument("--log", type=Path, help="where false-alarm runs are written, a line each, and gone on from")
    parser.add_argument("--program", type=int, metavar="RUNS", help="runs of each right kernel on a model of one's own")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--guides", type=int, metavar="RUNS", nargs="?", const=20, help="runs of each right guide")
    parser.add_argument("--signatures", action="store_true")
    args = parser.parse_args()
    with one_thread():
        if args.signatures:
            signatures(args.only)
        elif args.false_alarms:
            false_alarms(args.false_alarms, args.log, args.only, args.budget)
        elif args.program is not None:
            check_program.table(args.seeds, args.program, args.only, args.log)
        elif args.guides:
            guides(args.seeds, args.guides)
        elif args.peers:
            check_peers.table(list(kernels(ZOO, args.only)), list(kernels(RIGHT)))
        else:
            detection(args.seeds, args.only)


if __name__ == "__main__":
    main()
