"""Memory and time against the number of ratings: generated ones are written as CSV, read and fitted by `row_gibbs`,
each size in a process of its own.

    bytes a rating      the most that reading took, and reading and fitting, beyond what the process had before
    s a sweep           both sides once, of one core's processor, the median of five; and for a million ratings, which
                        should not change

    python bench/scale.py [--ratings 2e6 20e6] [--rank 10]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import say_machine, seconds, show

EACH = 100  # ratings of a user
PART = 10_000  # users that are written at a time


def write(path: Path, count: int) -> None:
    """`count` ratings of 0.5 to 5 stars as MovieLens has them, items by a power law, no pair twice."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv

    rng, users = np.random.default_rng(0), count // EACH
    items = max(4 * EACH, int(2 * count**0.5))
    schema = pa.schema([("userId", pa.int64()), ("movieId", pa.int64()), ("rating", pa.float64())])
    with pa.csv.CSVWriter(path, schema) as file:
        for first in range(0, users, PART):
            user = np.arange(first, min(first + PART, users)).repeat(EACH)
            # one item in each of EACH ranges, which are wider the less they are liked
            edges = (items * (np.arange(EACH + 1) / EACH)**2).astype(np.int64) + np.arange(EACH + 1)
            width = np.tile(np.diff(edges), len(user) // EACH)
            item = np.tile(edges[:-1], len(user) // EACH) + (width * rng.random(len(user))).astype(np.int64)
            file.write(pa.table([user, item, rng.integers(1, 11, len(user)) / 2], schema))


def peak() -> int:
    """Bytes, the most that this process has held."""
    return _status("VmHWM")


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def measured(path: Path, warm: Path, rank: int, fit: bool = True) -> dict[str, float]:
    """Of this process, once `warm`, a small file, has been through the same."""
    from data.ratings import load_ratings

    def sweeps(source: Path) -> dict[str, float]:
        ratings = load_ratings(source, say=lambda line: None)
        found = {"count": len(ratings), "read": peak(), "sweep": float("nan")}
        if fit:
            import torch

            from inference.factorization import row_gibbs
            from inference.threads import torch_on_one_thread
            from models.factorization import Factorization

            model = Factorization(ratings.num_users, ratings.num_items, rank)
            rng = torch.Generator().manual_seed(0)
            state = row_gibbs.init(rng, model, ratings)
            with torch_on_one_thread(kernels=1):
                found["sweep"] = seconds(lambda: row_gibbs.step(rng, state, model, ratings), clock=time.process_time)
        return found | {"fit": peak()}

    sweeps(warm)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _status("VmRSS")
    found = sweeps(path)
    each = {what: (found[what] - before) / found["count"] for what in ("read", "fit")}
    return found | each


def apart(path: Path, warm: Path, rank: int = 10, fit: bool = True) -> dict[str, float]:
    """`measured` in a process of its own."""
    asked = [sys.executable, __file__, "--of", str(path), str(warm), "--rank", str(rank), *([] if fit else ["--read"])]
    return json.loads(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ratings", nargs="+", type=float, default=[2e6, 20e6])
    parser.add_argument("--rank", type=int, default=10)
    parser.add_argument("--of", nargs=2, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--read", action="store_true", help="read only")
    asked = parser.parse_args()
    if asked.of:
        print(json.dumps(measured(asked.of[0], asked.of[1], asked.rank, not asked.read)))
        return
    say_machine()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path, warm = Path(folder) / "ratings.csv", Path(folder) / "warm.csv"
        write(warm, 10_000)
        for count in asked.ratings:
            write(path, int(count))
            found = apart(path, warm, asked.rank, not asked.read)
            rows.append((f"{found['count']:,}", f"{found['read']:.0f}", f"{found['fit']:.0f}", f"{found['sweep']:.2f}",
                         f"{1e6 * found['sweep'] / found['count']:.3f}"))
    show(f"Ratings as CSV, row_gibbs at K = {asked.rank}",
         ("ratings", "read, bytes a rating", "read and fit", "s a sweep", "s a sweep and million"), rows)


if __name__ == "__main__":
    main()
