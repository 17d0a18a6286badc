"""Seconds and bytes of a sweep against the number of ranks: `python bench/divided.py [--ranks 1,2,4] [--method NAME]`.

Every rank makes the ratings of its own users up, as many for each N, so that no process holds them all; a sweep is
timed without scores, on one thread a rank, and has the median over sweeps of the slowest rank. CPU is the work of that
rank alone, whatever else the machine does. Bytes are those that a rank hands to all-reduce; a ring then sends
2 (N - 1) / N of them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import torch
from measure import say_machine, show
from torch import Tensor

from inference import load
from inference.job import generator
from inference.threads import torch_on_one_thread
from models.ladder import make
from models.ratings import Ratings
from ranks import group
from ranks.part import WHOLE, Part


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", default="1,2,4", metavar="N,...")
    parser.add_argument("--method", default="row_gibbs")
    parser.add_argument("--model", default="plain")
    for name, value in (("users", 100_000), ("items", 2_000), ("each", 40), ("rank", 10), ("sweeps", 11)):
        parser.add_argument(f"--{name}", type=int, default=value, help=f"(default {value})")
    given = parser.parse_args()
    if "RANK" in os.environ:
        return worker(given)
    say_machine()
    rows, first = [], 0.0
    for ranks in given.ranks.split(","):
        found = started(ranks)
        first = first or found["seconds"]
        rows.append((ranks, 1e3 * found["seconds"], first / found["seconds"], 1e3 * found["cpu"], 1e3 * found["waited"],
                     found["bytes"] / 1e6, found["sums"]))
    show(f"A sweep of {given.method}, K = {given.rank}, {given.users * given.each:,} ratings, {given.users:,} users, "
         f"{given.items:,} items", ("ranks", "ms", "speed-up", "CPU ms", "of these in sums", "MB a rank", "sums"), rows)


def started(ranks: str) -> dict[str, float]:
    """What the first of so many ranks measures."""
    done = subprocess.run([sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", ranks, *sys.argv],
                          stdout=subprocess.PIPE, text=True, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def worker(given: argparse.Namespace) -> None:
    group.join()
    ranks, rank = group.size(), group.rank()
    bounds = tuple(given.users * k // ranks for k in range(ranks + 1))
    part = Part(bounds, rank) if ranks > 1 else WHOLE
    data = made_up(bounds[rank + 1] - bounds[rank], given.items, given.each, part)
    model = make(given.model, data.num_users, given.items, given.rank, part=part)
    method = load.method("factorization", given.method)
    said = Counted()
    with torch_on_one_thread(kernels=1):
        rng = generator(0, "bench")
        state = method.step(rng, method.init(rng, model, data), model, data)[0]
        seconds, cpu, sums = [], [], []
        for _ in range(given.sweeps):
            group.everyone(None)  # all begin together
            said.reset()
            begun, worked = time.perf_counter(), time.process_time()
            state = method.step(rng, state, model, data)[0]
            seconds.append(time.perf_counter() - begun)
            cpu.append(time.process_time() - worked)
            sums.append(said.seconds)
    medians = group.everyone([statistics.median(each) for each in (seconds, cpu, sums)])
    if rank == 0:
        slowest = [max(each) for each in zip(*medians, strict=True)]
        print(json.dumps({"seconds": slowest[0], "cpu": slowest[1], "waited": min(w for *_, w in medians),
                          "bytes": said.bytes, "sums": said.count}))
    group.leave(0)


class Counted:
    """In the place of `group.total`: counts what is summed."""

    def __init__(self) -> None:
        self.total = group.total
        group.total = self
        self.reset()

    def reset(self) -> None:
        self.bytes, self.count, self.seconds = 0, 0, 0.0

    def __call__(self, x: Tensor) -> Tensor:
        begun = time.perf_counter()
        found = self.total(x)
        self.seconds += time.perf_counter() - begun
        self.bytes, self.count = self.bytes + x.numel() * x.element_size(), self.count + 1
        return found


def made_up(users: int, items: int, each: int, part: Part) -> Ratings:
    """`each` ratings of every user, of items as unequal as films are."""
    rng = generator(part.rank, "made up")
    liked = (torch.arange(items).double() + 20) ** -1.0
    item = torch.multinomial(liked.expand(min(users, 1000), items), each, generator=rng).repeat(-(-users // 1000), 1)
    item = item[:users].flatten()
    user = torch.arange(users).repeat_interleave(each)
    rating = 3.5 + torch.randn(len(item), generator=rng, dtype=torch.float64)
    return Ratings(user, item, rating, users, items, part=part)


if __name__ == "__main__":
    main()
