"""Problem 3's tables, figures and sentences."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from data.ratings import Ratings, Split
from experiments.problem3 import measures as chains
from experiments.problem3 import words as words3
from experiments.problem3.study import Study
from inference.result import Result
from runs import fits
from views import sampling, tables
from views.numbers import decimals, whole

EDGES = (0, 5, 10, 20, 40, 80, 10**6)  # ratings of a user
digits = partial(decimals, below=1e4)  # what a fit that diverged reaches is no wider than the others


def show(console: Console, out: Path, study: Study, parts: Split, small: Ratings, args: argparse.Namespace
         ) -> list[dict[str, Any]]:
    """Everything but the checkpoints; returns the lines of `summary.json`."""
    N = len(parts.train)
    entries = [_entry(r, args.rank, N) for r in (*study.main, *study.compared)]
    _methods(console, entries, args.rank)
    judge = study.main[0]
    sampling.sweeps(out, study.main, args.rank)
    if len(parts.test):
        _calibration(console, out, judge, parts)
        _crosscheck(console, out, study)
    if study.gibbs:
        entries += _ranks(console, out, study, N, len(small))
        for line in words3.overfitting(study, small):
            console.print(line, soft_wrap=True, highlight=False)
        console.print()
    entries += [_entry(r, K, 0) | {"data": "jester-5k"} for K, r in study.real.items()]
    if study.ladder:
        entries += _ladder(console, study)
    return entries


def _entry(result: Result, rank: int, num_ratings: int, share: float = 1.0) -> dict[str, Any]:
    more = chains.diagnose(result, num_ratings) if num_ratings else {}
    return fits.entry(result, rank, num_ratings or 1) | more | {"share": share}


def _methods(console: Console, entries: list[dict[str, Any]], rank: int) -> None:
    tables.show(console, f"K = {rank}; NLL in nats per rating; R-hat and ESS are the worst of "
                f"{fits.KEPT_PAIRS} predictions, and of the log joint",
                ("method", "train NLL", "validation", "test NLL", "RMSE", "R-hat", "bulk ESS", "tail ESS", "ESS/s",
                 "R-hat, joint", "steps", "seconds"),
                [(e["name"], *(digits(e[n]) for n in ("train_nll", "validation_nll", "test_nll", "test_rmse")),
                  digits(e["rhat"], 3), whole(e["ess_bulk"]), whole(e["ess_tail"]), e["ess_per_second"],
                  digits(e["rhat_log_joint"], 2), e["steps"], e["seconds"]) for e in entries])


def _calibration(console: Console, out: Path, judge: Result, parts: Split) -> None:
    counts = torch.bincount(parts.train.user, minlength=parts.train.num_users)
    count = counts[parts.test.user].cpu().numpy()
    edges = np.array(EDGES)
    shares, sizes = chains.coverage(judge, count, edges)
    sampling.calibration(out, judge, count, edges, shares, sizes, chains.LEVEL)
    tables.show(console, f"{judge.name}: test ratings inside their central {100 * chains.LEVEL:.0f}% interval, "
                "by training ratings of the user", ("ratings", "pairs", "inside", "mean PIT"),
                [(sampling.bin_name(edges, b), int(sizes[b]), f"{100 * shares[b]:.1f}%",
                  f"{judge.expected['test_pit'][np.digitize(count, edges) - 1 == b].mean():.3f}")
                 for b in range(len(sizes)) if sizes[b]])


def _crosscheck(console: Console, out: Path, study: Study) -> None:
    judge, others = study.main[0], [*study.main[1:], *study.compared]
    sampling.crosscheck(out, judge, others)
    found = [(r.name, chains.apart(judge, r)) for r in others if "test_mean" in r.expected]
    if found:
        tables.show(console, f"Predictive means at the test pairs, against {judge.name}",
                    ("method", "median difference (posterior sds)", "95% of them below (sds)",
                     "root mean square (rating units)"),
                    [(name, digits(d["median_sd"], 3), digits(d["p95_sd"], 3), digits(d["rms"], 4))
                     for name, d in found])


def _ranks(console: Console, out: Path, study: Study, num_ratings: int, few: int) -> list[dict[str, Any]]:
    for name in sampling.SETS:
        sampling.ranks(out, study.gibbs, name)
    sampling.overfitting(out, study.gibbs, study.point)
    entries, rows = [], []
    for (share, K), gibbs in study.gibbs.items():
        point = study.point[share, K]
        N = num_ratings if share == 1 else few
        entries += [_entry(gibbs, K, N, share), _entry(point, K, N, share)]
        rows.append((f"{100 * share:.0f}%", K, *(digits(chains.scores(r).get(n)) for r in (gibbs, point)
                                                 for n in ("train_nll", "test_nll", "test_rmse")),
                     float(gibbs.seconds.sum()), float(point.seconds.sum())))
    tables.show(console, f"{gibbs.name} and {point.name} at each number of factors",
                ("share", "K", "Gibbs train NLL", "test NLL", "RMSE", "ML train NLL", "test NLL", "RMSE", "Gibbs s",
                 "ML s"), rows)
    return entries


def _ladder(console: Console, study: Study) -> list[dict[str, Any]]:
    """What each rung is worth on the real ratings."""
    rank = next(K for K, r in study.real.items() if r is study.ladder["plain"])
    tables.show(console, f"jester-5k, K = {rank}: what each part of the model is worth",
                ("model", "test NLL", "test RMSE", "noise variance", "seconds"),
                [(name, digits(chains.scores(r)["test_nll"]), digits(chains.scores(r)["test_rmse"]),
                  float(r.expected["noise_variance"]), float(r.seconds.sum())) for name, r in study.ladder.items()])
    return [_entry(r, rank, 0) | {"data": "jester-5k", "model": name} for name, r in study.ladder.items()]
