"""Does a run survive a power cut, whenever it comes? Every family of runs is killed (SIGKILL, with its workers) at
random moments, goes on by --resume, is killed again, until it ends; then every array is compared to the bit with those
of a run that was left alone, all that a verdict says but its seconds, and the names of the files: nothing may be
missing, nothing left over.

    python bench/kills.py                            # 20 kills a family; exit status 1 if anything differs
    python bench/kills.py problem2 sweep --kills 5 --seed 1 --keep DIR

Nothing is saved more often than usual, which is every 5 seconds; a run takes a quarter of a minute or more.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from same import differences

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = """import pyro
import pyro.distributions as dist
import torch

def data():
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(400, 12, generator=rng, dtype=torch.float64)
    return x, (x @ torch.linspace(-1, 1, 12, dtype=torch.float64) + torch.randn(400, generator=rng) > 0).double()

def model(x, y):
    scale = pyro.sample("scale", dist.HalfNormal(2.0))
    w = pyro.sample("w", dist.Normal(torch.zeros(12), scale).to_event(1))
    with pyro.plate("rows", len(x)):
        pyro.sample("y", dist.Bernoulli(logits=x @ w), obs=y)
"""
MINE = "mine.py"  # PROGRAM, in the folder of its family
FAMILIES: dict[str, tuple[str, ...]] = {
    "problem1": ("--problem", "1", "--image", "spiral", "--method", "gibbs", "--method", "loopy_bp", "--sweeps", "60"),
    "problem2": ("--problem", "2", "--method", "coordinate_ascent", "--method", "elbo_by_hand", "--epochs", "10",
                 "--bare"),
    "problem3": ("--problem", "3", "--kernel", "row_gibbs", "--kernel", "collapsed_gibbs", "--sweeps", "40", "--bare"),
    "program": ("--problem", MINE, "--method", "nuts_pyro", "--method", "laplace", "--sweeps", "300", "--chains", "2"),
    "sweep": ("--problem", "3", "--kernel", "row_gibbs", "--sweep", "seed=0-1", "rank=2,5", "--sweeps", "15",
              "--jobs", "2"),
    "all": ("--problem", "all"),
    "check": ("--check", "collapsed_gibbs"),
}
EARLIEST, WHOLE = 2.0, 900.0  # seconds
OFTEN = 3  # kills in the time that a run takes, on average
MOST = 8  # kills of one run


def children(pid: int) -> list[int]:
    """A process and all that it started, and these; the parents first."""
    parent = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = place.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        parent[int(place.parent.name)] = int(fields[1])
    found = [pid]
    for each in found:
        found += [child for child, of in parent.items() if of == each]
    return found


def started(words: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    with open(log, "ab") as file:
        return subprocess.Popen([sys.executable, str(ROOT / "run.py"), *words], cwd=log.parent, stdout=file,
                                stderr=file, process_group=0)  # of this one's priority


def killed(process: subprocess.Popen[bytes], after: float) -> bool:
    """Whether the process was killed, all of it at once; else it has ended before."""
    try:
        process.wait(after)
        return False
    except subprocess.TimeoutExpired:
        for pid in children(process.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.wait()
        return True


def again(words: Sequence[str], out: Path) -> list[str]:
    """How the run in `out` goes on, or starts if it had not come to say what it is."""
    if (out / "run.json").exists():
        return ["--resume", str(out), *(["--problem", MINE] if MINE in words else [])]
    return [*words, f"--out={out}"]


def names(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def survived(words: Sequence[str], out: Path, rng: random.Random, seconds: float) -> tuple[int, list[str]]:
    """How often it was killed until it ended, and what it said wrong; after so many it is left alone."""
    kills, log = 0, out.with_suffix(".log")
    while True:
        process, latest = started(again(words, out), log), max(2 * EARLIEST, 2 * seconds / OFTEN)
        if not killed(process, rng.uniform(EARLIEST, latest) if kills < MOST else WHOLE):
            return kills, [f"exit status {process.returncode}, see {log}"] * (process.returncode not in (0, 1))
        kills += 1


def verdicts(folder: Path) -> dict[str, dict[str, object]]:
    """What was found of every method that was judged."""
    found = {path.name: json.loads(path.read_text()) for path in folder.glob("check*.json")}
    return {name: {what: value for what, value in said.items() if what != "seconds"} for name, said in found.items()}


def family(name: str, base: Path, kills: int, rng: random.Random) -> tuple[int, int, list[str]]:
    """How many kills, how many arrays and verdicts were compared, and what differs."""
    words, alone = FAMILIES[name], base / name / "alone"
    alone.parent.mkdir(parents=True)
    (alone.parent / MINE).write_text(PROGRAM)
    begun = time.monotonic()
    left = started([*words, f"--out={alone}"], alone.with_suffix(".log"))
    if left.wait() not in (0, 1):
        return 0, 0, [f"{name} left alone: exit status {left.returncode}, see {alone.with_suffix('.log')}"]
    seconds = time.monotonic() - begun
    print(f"{name:10} left alone {seconds:.0f} s", flush=True)
    total, compared, wrong = 0, 0, list[str]()
    while total < kills:
        out = base / name / f"killed{total}"
        count, said = survived(words, out, rng, seconds)
        arrays, differ = differences(alone, out)
        litter = names(alone) ^ names(out)
        judged = verdicts(alone)
        differ += [] if judged == verdicts(out) else ["another verdict"]
        total, compared = total + count, compared + arrays + len(judged)
        wrong += [f"{out}: {line}" for line in (*said, *differ, *(f"{n} is in one of the two" for n in sorted(litter)))]
    return total, compared, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=f"of {', '.join(FAMILIES)} (default: all)")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where the results go (default: nowhere)")
    args = parser.parse_args()
    if unknown := set(args.families) - set(FAMILIES):
        parser.error(f"no such family: {', '.join(sorted(unknown))}")
    failed = False
    with tempfile.TemporaryDirectory() as temporary:
        for name in args.families or FAMILIES:
            kills, arrays, wrong = family(name, (args.keep or Path(temporary)).resolve(), args.kills,
                                          random.Random(f"{name}/{args.seed}"))
            print(f"{name:10} {kills} kills, {arrays} arrays and verdicts compared, {len(wrong)} wrong", flush=True)
            print("".join(f"    {line}\n" for line in wrong), end="", flush=True)
            failed |= bool(wrong) or kills < args.kills
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
