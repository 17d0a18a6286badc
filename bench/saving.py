"""What saving on the way costs: large states, driven for a while and saved as a run saves them, each time with the
seconds that the saves took beside those of the whole. A run saves every 5 seconds, or every twenty times what the last
save took, and the first is measured by the writing of a part: less than 5%.

    python bench/saving.py [--seconds 60]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from measure import say_machine, show

from errors import Interrupted
from inference import load
from inference.drive import drive
from inference.job import Plan
from inference.method import Method
from models.factorization import Factorization
from models.grid import GridMRF
from models.model import Data, Model
from models.ratings import Ratings

USERS, ITEMS, COUNT = 59_000, 140, 1_700_000  # as Jester has them


def grid(side: int = 2000) -> GridMRF:
    labels = torch.randint(0, 2, (side, side), generator=torch.Generator().manual_seed(0))
    return GridMRF.potts(torch.eye(2, dtype=torch.float64)[labels], 1.0, (0.5, 0.1))


def ratings() -> Ratings:
    rng = torch.Generator().manual_seed(0)
    pair = torch.randperm(USERS * ITEMS, generator=rng)[:COUNT].sort().values
    return Ratings(pair // ITEMS, pair % ITEMS, torch.randn(COUNT, generator=rng, dtype=torch.float64), USERS, ITEMS)


def families() -> Iterator[tuple[str, Method, Model, Data, int]]:
    """What is run, and in how many chains."""
    yield "gibbs, 2,000 x 2,000 pixels, 4 chains", load.method("grid", "gibbs"), grid(), None, 4
    model, data = Factorization(USERS, ITEMS, 50), ratings()
    for name in ("row_gibbs", "coordinate_ascent"):
        yield f"{name}, {COUNT:,} ratings, K = 50", load.method("factorization", name), model, data, 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    asked = parser.parse_args()
    say_machine()
    rows = []
    for what, method, model, data, chains in families():
        saves, began = list[float](), time.monotonic()

        def enough(*_: object, until: float = began + asked.seconds) -> None:
            if time.monotonic() > until:
                raise Interrupted("enough")

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "checkpoint.npz"
            try:
                drive(method, model, data, Plan(10**6, chains), save_to=path, on_save=saves.append, on_step=enough)
            except Interrupted:
                took, size = time.monotonic() - began, path.stat().st_size if path.exists() else 0
        share = f"{100 * sum(saves) / took:.1f}%"
        rows.append((what, f"{size / 1e6:.0f}", len(saves), f"{sum(saves) / max(len(saves), 1):.2f}", share))
    show(f"Saved on the way, in {asked.seconds:g} s", ("run", "MB", "saves", "s a save", "of the time"), rows)


if __name__ == "__main__":
    main()
