"""Kernels on models of one's own: what is found of `checks/zoo/program/`, and false alarms of right kernels."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from checks.asked import found
from checks.kernels.judge import LOOKS, judge
from checks.kernels.kernel import Kernel
from checks.planted import ZOO
from checks.verdict import Outcome, Verdict
from inference import load, user_file
from inference.method import Method

RIGHT = ZOO.parent / "right" / "program"
FOUND = (Outcome.WRONG, Outcome.UNFIT)


def kernels(folder: Path, only: str) -> Iterator[tuple[str, str]]:
    """Every one by its file and its name there, as --check takes it."""
    for path in sorted(folder.glob("[a-z]*.py")):
        if path.stem != "pieces" and only in path.stem:
            yield from ((path.stem, f"{path}:{name}") for name in load.own("program", user_file.read(str(path))))


def run(word: str, seed: int) -> tuple[Verdict, float]:
    """The verdict and the seconds of one core that it took, the making of the test problem among them."""
    began = time.process_time()
    asked = found(word)
    assert isinstance(asked.what, Method)
    verdict = judge(Kernel(asked.what), asked.problems, seed=seed, explain=False)
    return verdict, time.process_time() - began


def table(seeds: int, runs: int, only: str, log: Path | None) -> None:
    """A line each in `log`, from which it goes on; then what they come to."""
    done = [line.split("\t") for line in log.read_text().splitlines()] if log and log.exists() else []
    had = {tuple(line[:3]) for line in done}
    wanted = [("mistake", word, seed) for seed in range(seeds) for _, word in kernels(ZOO / "program", only)]
    wanted += [("right", word, seed) for seed in range(runs) for _, word in kernels(RIGHT, only)]
    for sort, word, seed in wanted:
        name = f"{Path(word.partition('.py:')[0]).stem}:{word.partition('.py:')[2]}"
        if (sort, name, str(seed)) in had:
            continue
        verdict, seconds = run(word, 100 + seed + 10_000 * (sort == "right"))
        replicates = max([t["replicates"] for t in verdict.tested], default=LOOKS[0])
        done.append([sort, name, str(seed), str(verdict.outcome), str(replicates), f"{seconds:.2f}", verdict.headline])
        if log:
            with log.open("a") as file:
                file.write("\t".join(done[-1]) + "\n")
    report([line for line in done if line[0] == "mistake"], [line for line in done if line[0] == "right"])


def report(mistakes: list[list[str]], right: list[list[str]]) -> None:
    caught = [line for line in mistakes if line[3] in FOUND]
    for look in LOOKS if mistakes else ():
        share = sum(int(line[4]) <= look for line in caught)
        print(f"found by {look:5,} replicates: {share} of {len(mistakes)} ({100 * share / len(mistakes):.0f}%)")
    if caught:
        print(f"median seconds of one core to a failure: {statistics.median(float(line[5]) for line in caught):.1f}")
    print("missed:", ", ".join(f"{line[1]} ({line[3]})" for line in mistakes if line[3] not in FOUND) or "none")
    alarms = [line for line in right if line[3] in FOUND]
    if right:
        print(f"{len(alarms)} false alarms in {len(right)} runs of {len({line[1] for line in right})} right kernels; "
              f"median {statistics.median(float(line[5]) for line in right):.1f} s of one core a run")
    print("\n".join(f"  {line[1]}, seed {line[2]}: {line[6]}" for line in alarms))
