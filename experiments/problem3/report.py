"""Problem 3's tables, figures and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from experiments.problem3 import measures, words
from experiments.problem3.entries import ChainEntry, LadderEntry, RealEntry
from experiments.problem3.study import Study
from experiments.ratings import captions, learned
from experiments.ratings.calibration import calibration
from experiments.ratings.entries import RatingsEntry, score
from experiments.ratings.words import doubts
from inference.diagnostics import KEPT
from inference.result import Result
from runs.run import Run
from views import chains, ratings, sampling
from views.figures import begin
from views.numbers import decimals, three, whole, with_error

digits = partial(decimals, below=1e4)  # what a fit that diverged reaches is no wider than the others


def show(this: Run, study: Study) -> list[RatingsEntry]:
    """Everything but the checkpoints; returns the lines of `summary.json`."""
    begin(r.name for r in (*study.main, *study.compared))
    entries, judge = scores(this, study), study.main[0]
    this.story.figure(sampling.sweeps(this.folder, list(study.main), study.rank), captions.sweeps(judge))
    N = len(study.parts.train)
    joints = {r.name: measures.log_joint(r, N) / N for r in study.main if "log_prior" in r.draws}
    this.story.figure(chains.traces(this.folder / "chains.png", joints, "log joint\n(nats per rating)"),
                      captions.chains(entries))
    learned.show(this, judge)
    this.story.figure(ratings.overview(this.folder, judge), captions.overview(study.parts.train))
    this.story.figure(ratings.items(this.folder, judge), captions.items(judge))
    if len(study.parts.test):
        calibration(this, study.main[0], study.parts)
        crosscheck(this, study)
    found: list[RatingsEntry] = list(entries)
    if study.gibbs:
        found += ranks(this, study)
        this.say(*words.overfitting(study))
        this.console.print()
    found += [RealEntry.fitted(r, K, 1, share=1.0, data="jester-5k") for K, r in study.real.items()]
    return found + (ladder(this, study) if study.ladder else [])


def scores(this: Run, study: Study) -> list[ChainEntry]:
    """The table of the methods at --rank, and what should be doubted of it."""
    test = study.parts.test.rating.cpu().numpy()
    N = study.parts.train.total
    entries = [entry(r, study.rank, N, test=test) for r in (*study.main, *study.compared)]
    this.story.part(f"{N:,} ratings, K = {study.rank}")
    methods(this, entries, study.rank, any("times" in r.facts["data"].get("test", {}) for r in study.main))
    this.story.doubt(*words.unmixed(entries), *doubts(study.main[0], test))
    return entries


def bare(this: Run, study: Study) -> list[ChainEntry]:
    """The scores alone."""
    begin(r.name for r in study.main)
    entries = scores(this, study)
    learned.show(this, study.main[0], pictures=False)
    return entries


def entry(result: Result, rank: int, num_ratings: int, share: float = 1.0, test: np.ndarray | None = None
          ) -> ChainEntry:
    return ChainEntry.fitted(result, rank, num_ratings, test, **measures.diagnose(result, num_ratings), share=share)


def methods(this: Run, entries: Sequence[ChainEntry], rank: int, timed: bool = False) -> None:
    at = "; test ratings at their own times" if timed else ""
    this.table(f"K = {rank}{at}; NLL in nats per rating, in brackets standard errors over the test ratings; "
                f"R-hat and ESS are the worst of {KEPT} predictions, and of the log joint",
                ("method", "train NLL", "validation", "test NLL", "RMSE", "R-hat", "bulk ESS", "tail ESS", "ESS/s",
                 "R-hat, joint", "steps", "seconds"),
                [(e.name, digits(e.train_nll), digits(e.validation_nll),
                  with_error(e.test_nll, e.test_nll_error, below=1e4),
                  with_error(e.test_rmse, e.test_rmse_error, below=1e4), digits(e.rhat, 3), whole(e.ess_bulk),
                  whole(e.ess_tail), three(e.ess_per_second), digits(e.rhat_log_joint, 3), e.steps, three(e.seconds))
                 for e in entries], ("tail ESS", "validation", "steps", "ESS/s", "train NLL",
                                      "RMSE", "R-hat, joint", "bulk ESS", "seconds"))


def crosscheck(this: Run, study: Study) -> None:
    judge, others = study.main[0], [*study.main[1:], *study.compared]
    drawn = sampling.crosscheck(this.folder, judge, others)
    found = [(r.name, measures.apart(judge, r)) for r in others if "test_mean" in r.expected]
    this.story.figure(drawn, captions.crosscheck(judge, {name: d["median_sd"] for name, d in found}))
    if found:
        this.table(f"Predictive means at the test pairs: how far from those of {judge.name}, in its posterior sds",
                    ("method", "median (sds)", "95% below (sds)", "RMS (rating units)"),
                    [(name, digits(d["median_sd"], 3), digits(d["p95_sd"], 3), digits(d["rms"], 4))
                     for name, d in found])


def ranks(this: Run, study: Study) -> list[ChainEntry]:
    """The first kernel and maximum likelihood at each number of factors, side by side."""
    for name, what in sampling.SETS.items():
        this.story.figure(sampling.ranks(this.folder, study.gibbs, name), captions.ranks(study.gibbs, name, what))
    this.story.figure(sampling.overfitting(this.folder, study.gibbs, study.point),
                      " ".join(words.overfitting(study)[:1]) or captions.ranks(study.gibbs, "test", "test ratings"))
    entries, rows = [], []
    for (share, K), gibbs in study.gibbs.items():
        point, N = study.point[share, K], len(study.parts.train if share == 1 else study.small)
        entries += [entry(gibbs, K, N, share), entry(point, K, N, share)]
        rows.append((f"{100 * share:.0f}%", K, *(digits(score(r, n)) for r in (gibbs, point)
                                                 for n in ("train_nll", "test_nll", "test_rmse")),
                     three(float(gibbs.seconds.sum())),
                     three(float(point.seconds.sum()))))
    this.table(f"{gibbs.name} and {point.name} at each number of factors",
                ("share", "K", "Gibbs train NLL", "Gibbs test NLL", "Gibbs RMSE", "ML train NLL", "ML test NLL",
                 "ML RMSE", "Gibbs s", "ML s"), rows,
                ("Gibbs s", "ML s", "Gibbs RMSE", "ML RMSE", "Gibbs train NLL", "ML train NLL"))
    return entries


def ladder(this: Run, study: Study) -> list[LadderEntry]:
    """What each rung is worth on the real ratings."""
    rank = next(K for K, r in study.real.items() if r is study.ladder["plain"])
    this.table(f"jester-5k, K = {rank}: what each part of the model is worth",
                ("model", "test NLL", "test RMSE", "noise variance", "seconds"),
                [(name, digits(score(r, "test_nll")), digits(score(r, "test_rmse")),
                  float(r.expected["noise_variance"]), three(float(r.seconds.sum())))
                 for name, r in study.ladder.items()])
    return [LadderEntry.fitted(r, rank, 1, share=1.0, data="jester-5k", model=name)
            for name, r in study.ladder.items()]
