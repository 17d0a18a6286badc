"""What each rung of the ladder costs: `python bench/ladder.py [MODEL ...]`, each against the first.

Milliseconds of a sweep of `ladder_gibbs`, without scores, on made-up ratings of the shape of MovieLens' 100,000: the
models take turns, so that a busy machine slows them alike, and each has the median of its sweeps.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from measure import say_machine, show

from data.ratings import Ratings
from inference.factorization import ladder_gibbs
from inference.job import generator
from inference.threads import torch_on_one_thread
from models.ordinal import fitted, named
from models.rungs.time import DAY

MODELS = ("noise+hierarchical+biases", "noise+hierarchical+biases+features",
          "noise+hierarchical+biases+noise-per-user+features+time", "hierarchical+biases+ordinal",
          "hierarchical+biases+features+time+ordinal")
USERS, ITEMS, RATINGS = 943, 1682, 100_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=MODELS, metavar="MODEL")
    parser.add_argument("--rank", type=int, default=10)
    parser.add_argument("--sweeps", type=int, default=30)
    given = parser.parse_args()
    say_machine()
    data = made_up()
    with torch_on_one_thread():  # as a run has it
        taken = timed(given.models, data, given.rank, given.sweeps)
    first = taken[given.models[0]]
    show(f"A sweep, K = {given.rank}, {len(data):,} ratings", ("model", "ms", "ratio"),
         [(name, 1e3 * seconds, seconds / first) for name, seconds in taken.items()])


def timed(models: tuple[str, ...], data: Ratings, rank: int, sweeps: int) -> dict[str, float]:
    """Seconds of a sweep, by model."""
    rng = generator(0, "bench")
    at = {}
    for name in models:
        model = fitted(named(name, data.num_users, data.num_items, rank), data)
        state = ladder_gibbs.init(rng, model, data)
        at[name] = model, ladder_gibbs.step(rng, state, model, data)[0]
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(sweeps):
        for name, (model, state) in at.items():
            started = time.perf_counter()
            at[name] = model, ladder_gibbs.step(rng, state, model, data)[0]
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(each) for name, each in seconds.items()}


def made_up() -> Ratings:
    """Stars of users and items as unequal as people and films are; a user is there on ten of 200 days."""
    rng = generator(0, "made up")
    busy = (torch.arange(USERS).double() + 10) ** -0.8
    liked = (torch.arange(ITEMS).double() + 20) ** -1.0
    pair = torch.multinomial((busy[:, None] * liked).flatten(), RATINGS, generator=rng)
    user, item = pair // ITEMS, pair % ITEMS
    U, V = (0.5 * torch.randn(n, 5, generator=rng, dtype=torch.float64) for n in (USERS, ITEMS))
    mean = 3.5 + (U[user] * V[item]).sum(1)
    noise = torch.randn(RATINGS, generator=rng, dtype=torch.float64)
    day = torch.randint(200, (USERS, 10), generator=rng)[user, torch.randint(10, (RATINGS,), generator=rng)]
    rating = (mean + 0.9 * noise).round().clamp(1, 5)
    return Ratings(user, item, rating, USERS, ITEMS, time=DAY * day)


if __name__ == "__main__":
    main()
