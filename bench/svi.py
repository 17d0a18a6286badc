"""Pyro's SVI on ratings: the gap to the best ELBO against processor seconds, NumPyro's own loop beside it.

    python bench/svi.py [--quick] [--ranks 2,10]

Installs nothing; NumPyro absent is said (`pip install -r bench/requirements.txt`). The data are `jester-like`; --quick
takes a tenth of the users. Seconds are of the processor, all threads, for others may share the machine: those of the
start and of every epoch, ELBO included for ours, left out for NumPyro, which is given our start. The best of a family
is coordinate ascent's after 50 sweeps.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from factorization import DECAY, LR, halves, sized
from measure import say_machine, show
from peers_factorization import numpyro_svi

from data.ratings import Ratings, Split, load_ratings
from inference.factorization.parts.mean_field_elbo import elbo
from inference.factorization.parts.stochastic import init, moments
from inference.job import generator
from models.factorization import Factorization
from runs import options

MEAN_FIELD, FULL = "guide_mean_field_pyro", "guide_full_covariance_pyro"
FITS = {MEAN_FIELD: "entry", f"{MEAN_FIELD}:steps=adam": "entry", FULL: "row", f"{FULL}:steps=adam": "row",
        "examples/guide.py": "entry"}
EPOCHS, ADAMS = 10, 20
SHARES = (0.01, 0.005)  # of the best ELBO
Course = tuple[list[float], list[float]]  # seconds so far, and ELBO a rating


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the users")
    parser.add_argument("--ranks", default="2,10")
    arguments = parser.parse_args()
    say_machine()
    parts = halves(load_ratings("jester-like"), 10 if arguments.quick else 1)
    for K in map(int, arguments.ranks.split(",")):
        compare(parts, K)


def compare(parts: Split, K: int) -> None:
    model, data = sized(parts, K), parts.train
    best = {covariance: course(f"coordinate_ascent:covariance={covariance}", model, data, 50)[1][-1]
            for covariance in ("entry", "row")}
    rows = []
    for spec, family in FITS.items():
        ran = course(spec, model, data, ADAMS if "adam" in spec else EPOCHS)
        rows.append((spec, *said(ran, best[family])))
    for double in (True, False):
        theirs = numpyro(parts, model, double)
        name = f"NumPyro, Adam, {'double' if double else 'single (its default)'}"
        rows.append((name, *(("absent",) + 4 * (None,) if theirs is None else said(theirs, best["entry"]))))
    show(f"K = {K}, {len(data):,} ratings; best ELBO a rating {best['entry']:.4f}, with covariances {best['row']:.4f}",
         ("fit", "s to 1%", "s to 0.5%", "epochs to 0.5%", "gap at the end, %", "s in all"), rows)


def course(spec: str, model: Factorization, data: Ratings, epochs: int) -> Course:
    """The start, then epochs; its code is compiled before, on a hundredth of the ratings."""
    fit = options.parse("factorization", spec)
    seconds, told = list[float](), list[float]()
    for few, count in ((data.take(torch.arange(0, len(data), 100)), 1), (data, epochs)):
        rng, seconds, told = generator(0, "bench"), list[float](), list[float]()
        began = time.process_time()
        state = fit.method.init(rng, model, few, **fit.options)
        for _ in range(count):
            state, info = fit.method.step(rng, state, model, few)
            seconds.append(time.process_time() - began)
            told.append((info.elbo or np.nan) / len(few))
    return seconds, told


def numpyro(parts: Split, model: Factorization, double: bool) -> Course | None:
    """Our old default by its loop: the start, batches and schedule of `steps=adam`."""
    start = {name: value.numpy() for name, value in init(generator(0, "bench"), model, parts.train).params.items()}
    told: list[float] = []

    def score(params: dict[str, np.ndarray]) -> None:
        q = moments({name: torch.from_numpy(np.array(value, dtype=np.float64)) for name, value in params.items()})
        told.append(float(elbo(model, parts.train, q)) / len(parts.train))

    ran = numpyro_svi(parts.train, parts.test, model, start, ADAMS, -(-len(parts.train) // 32), LR, DECAY, double,
                      clock=time.process_time, score=score)
    return None if ran is None else (ran.seconds, told)


def said(ran: Course, best: float) -> tuple[object, ...]:
    seconds, gaps = ran[0], [bound / best - 1 for bound in ran[1]]
    at = [next((k for k, gap in enumerate(gaps) if gap <= share), None) for share in SHARES]
    return (*(None if k is None else seconds[k] for k in at), None if at[-1] is None else at[-1] + 1, 100 * gaps[-1],
            seconds[-1])


if __name__ == "__main__":
    main()
