"""Speed on ratings, ours and other people's side by side in one run: `python bench/factorization.py [--quick]`.

Installs nothing; a peer that is not installed is reported as absent (`pip install -r bench/requirements.txt`).
The data are `jester-like` (1.72M training ratings), 98/1/1; --quick takes a tenth of the users. Seconds are of
fitting, scoring not counted; compiling is done before, on a hundredth of the users.
"""

from __future__ import annotations

import argparse
import gzip
import resource
import tempfile
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from measure import say_machine, seconds, show
from peers_factorization import Course, myfm_fit, numpyro_svi, smurff_gibbs

from data.jester_like import make
from data.ratings import Ratings, Split, load_ratings, read_ratings, split
from experiments.ratings import tasks
from experiments.ratings.entries import seconds_to
from inference.drive import drive
from inference.factorization.parts.stochastic import init
from inference.factorization.predictive import Predictive
from inference.job import generator
from inference.method import Family
from inference.result import Result, import_arviz
from models.factorization import Factorization
from runs import options
from runs.task import Task

METHODS = {"coordinate_ascent": 50, "coordinate_ascent:covariance=row": 50, "guide_mean_field_pyro": 10,
           "elbo_by_hand": 10, "maximum_likelihood:algorithm=als,map=yes": 50, "row_gibbs": 50}
KEPT, SWEEPS = 256, 100  # test pairs whose mixing is measured, and for how long
SHARE = 1.01  # of the test RMSE where coordinate ascent ends: what the others must reach
DECAY, LR = 0.88, 0.1  # our default schedule, for the peer that runs the same loop


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the users")
    quick = parser.parse_args().quick
    say_machine()
    parts = halves(load_ratings("jester-like"), 10 if quick else 1)
    small = halves(load_ratings("jester-like"), 100)
    for K in (2, 10):
        for spec in METHODS:
            fit(spec, small, K, 2)
        quality(parts, K)
    sweeps(parts, (2, 10) if quick else (2, 10, 32))
    if find_spec("smurff") and find_spec("myfm"):
        mixing(parts, (2, 10))
    reading()
    print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


def halves(ratings: Ratings, share: int) -> Split:
    """The usual split, of the first users only."""
    users = ratings.num_users // share
    few = ratings.take(ratings.user < users)
    return split(Ratings(few.user, few.item, few.rating, users, few.num_items, few.scale), rng=generator(0, "split"))


def asked(spec: str, parts: Split, rank: int, epochs: int, samples: int) -> Task:
    """A fit as Problem 2 would run it."""
    fit = options.parse("factorization", spec)
    return tasks.task(fit, sized(parts, rank), parts, tasks.plan(fit.method, epochs, seed=0), samples=samples)


def sized(parts: Split, rank: int) -> Factorization:
    return Factorization(parts.train.num_users, parts.train.num_items, rank)


def fit(spec: str, parts: Split, rank: int, epochs: int) -> tuple[Result, Course]:
    """One of ours, with the test set scored after every epoch; samplers by the mean of their draws so far."""
    task = asked(spec, parts, rank, epochs, 20)
    scorer = Predictive(sized(parts, rank), {"test": parts.test}, task.method.family, samples=20)
    result = drive(task.method, task.model, parts.train, task.plan, task.options, observer=scorer,
                   record=lambda latents: {})
    return result, Course(list(result.seconds[0].cumsum()), list(result.trace["test_rmse"][0]))


def quality(parts: Split, K: int) -> None:
    """Time to the same test RMSE, and to 1% of each method's own best ELBO."""
    N, rows = len(parts.train), list[tuple]()
    courses = {spec: fit(spec, parts, K, epochs) for spec, epochs in METHODS.items()}
    target = SHARE * courses["coordinate_ascent"][1].rmse[-1]
    batch = -(-N // 32)
    model = Factorization(parts.train.num_users, parts.train.num_items, K)
    start = init(generator(0, "bench"), model, parts.train).params
    same_start = {name: value.numpy() for name, value in start.items()}
    peers = {f"NumPyro, SVI, {'double' if double else 'single (its default)'}": numpyro_svi(
                 parts.train, parts.test, model, same_start, 10, batch, LR, DECAY, double) for double in (True, False)}
    peers |= {
        "myFM, variational": myfm_fit(parts.train, parts.test, K, 15),
        "SMURFF, Gibbs": smurff_gibbs(parts.train, parts.test, K, 50)}
    for result, course in courses.values():
        elbo = result.final("elbo")
        rows.append((result.name, 1e3 * course.step, course.reach(target), seconds_to(result, 0.01),
                     None if elbo is None else f"{elbo / N:.4f}", f"{float(result.expected['test_nll']):.4f}",
                     f"{course.rmse[-1]:.4f}"))
    for name, peer in peers.items():
        rows.append((name, "absent", *[None] * 5) if peer is None else
                    (name, 1e3 * peer.step, peer.reach(target), None, None, None, f"{peer.rmse[-1]:.4f}"))
    show(f"Time to quality, K = {K}, {N:,} ratings; target: test RMSE {target:.4f}, within 1% of coordinate ascent's",
         ("method", "ms an epoch", "s to target", "s to 1% of its ELBO", "ELBO", "test NLL", "test RMSE"), rows)
    library = [c.step for c in (courses["guide_mean_field_pyro"][1], peers["NumPyro, SVI, double"]) if c]
    hand = courses["elbo_by_hand"][1].step
    print(f"the ELBO by hand takes {hand / min(library):.2f} times the fastest library's loop in double precision "
          f"({1e3 * hand / 32:.1f} ms a minibatch of {batch:,})\n")


def sweeps(parts: Split, ranks: tuple[int, ...]) -> None:
    """Gibbs: a sweep and its scores, in milliseconds. SMURFF scores what it is given as test set: here train and test,
    as ours does, and then the test set alone; myFM scores nothing."""
    rows = []
    user, item, rating = (torch.cat(columns) for columns in zip(
        (*parts.train.pairs, parts.train.rating), (*parts.test.pairs, parts.test.rating), strict=True))
    both = Ratings(user, item, rating, parts.train.num_users, parts.train.num_items)
    for K in ranks:
        task = asked("row_gibbs", parts, K, 2, 1)
        scorer = Predictive(sized(parts, K), {"train": parts.train, "test": parts.test}, Family.MCMC)
        rng = generator(0, "bench")
        state, memory = task.method.init(rng, task.model, parts.train), scorer.start()

        def sweep(task: Task = task, scorer: Predictive = scorer, rng: torch.Generator = rng) -> None:
            nonlocal state, memory
            state, _ = task.method.step(rng, state, task.model, parts.train)
            memory, _ = scorer.update(memory, lambda: task.method.draw(rng, state, task.model), True)

        ours = seconds(sweep, 15)
        peers = (smurff_gibbs(parts.train, both, K, 8), smurff_gibbs(parts.train, parts.test, K, 8),
                 myfm_fit(parts.train, parts.test, K, 5, "MyFMGibbsRegressor"))
        columns = [x for p in peers for x in (("absent", None) if p is None else (1e3 * p.step, p.step / ours))]
        rows.append((f"K = {K}", 1e3 * ours, *columns))
    show("Gibbs, one sweep and its scores (ms)", ("", "ours", "SMURFF", "ratio", "SMURFF, test only", "ratio",
                                                  "myFM, no scores", "ratio"), rows)


def mixing(parts: Split, ranks: tuple[int, ...]) -> None:
    """Gibbs: effective samples of the predictions a second, one chain; the median over the first test pairs."""
    test = parts.test.take(torch.arange(KEPT))
    rows = []
    for K in ranks:
        task = asked("row_gibbs", parts, K, SWEEPS, 1)
        model = replace(sized(parts, K), pairs=test.pairs)
        result = drive(task.method, model, parts.train, task.plan, task.options, record=model.quantities)
        ours = result.draws["prediction"][0], float(result.seconds[0, SWEEPS // 5:].sum())
        peers = (smurff_gibbs(parts.train, test, K, SWEEPS, keep=True),
                 myfm_fit(parts.train, test, K, SWEEPS, "MyFMGibbsRegressor"))
        found = [ours] + [(np.array(p.draws[SWEEPS // 5:]), p.seconds[-1] - p.seconds[SWEEPS // 5 - 1])
                          for p in peers if p]
        rates = [float(np.median([effective(column) for column in draws.T])) / taken for draws, taken in found]
        rows.append((f"K = {K}", *(f"{rate:.1f}" for rate in rates), *(rates[0] / rate for rate in rates[1:])))
    show(f"Gibbs, effective samples of a prediction a second, {SWEEPS} sweeps; the peers learn their priors as well",
         ("", "ours", "SMURFF", "myFM", "ours / SMURFF", "ours / myFM"), rows)


def effective(draws: np.ndarray) -> float:
    """ArviZ's bulk effective sample size of one chain."""
    return float(import_arviz().ess(draws[None]))


def reading() -> None:
    """Making `jester-like`, and reading as many ratings from a gzipped CSV."""
    started = time.perf_counter()
    activity, item, rating = make(torch.Generator().manual_seed(0))
    made = time.perf_counter() - started
    user = np.repeat(np.arange(1, len(activity) + 1), activity)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ratings.csv.gz"
        text = "\n".join(f"{i},{j},{r}" for i, j, r in zip(user, item, rating, strict=True))
        path.write_bytes(gzip.compress(f"user,item,rating\n{text}\n".encode(), 1))
        read = seconds(lambda: read_ratings(path), 3)
    show("Data (s)", ("", "seconds"), [(f"making {len(item):,} ratings", made),
                                       ("reading as many from gzipped CSV", read)])


if __name__ == "__main__":
    main()
