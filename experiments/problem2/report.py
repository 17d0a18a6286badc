"""Problem 2's tables, figures and sentences."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from rich.markup import escape

from experiments.problem2 import gradients, words
from experiments.problem2.checkpoints import TRAJECTORY
from experiments.problem2.request import RANKED_SCORES
from experiments.problem2.study import Study
from experiments.ratings.entries import RatingsEntry
from experiments.ratings.words import doubts
from inference.job import generator
from inference.result import Result
from runs.run import Run
from views import factorization as views
from views import tables
from views.figures import begin
from views.numbers import decimals, with_error


def show(this: Run, study: Study) -> list[RatingsEntry]:
    """The tables, the words and the figures; returns the lines of `summary.json`."""
    request, results, N = study.request, study.results, study.num_ratings
    begin(r.name for r in results)
    told = [r for r in results if "elbo" in r.trace and r.by != "hand"] or [r for r in results if "elbo" in r.trace]
    for result in told if request.method else told[:1]:
        epochs(this, result, N, request.samples)
    test = study.parts.test.rating.cpu().numpy()
    entries = [RatingsEntry.fitted(r, request.rank, N, test) for r in results]
    comparison(this, entries, request.rank)
    ladder = [RatingsEntry.fitted(r, K, N) for K, r in study.ranked.items()]
    if ladder:
        ranks(this, ladder, request.ranked_samples)
    figures(this, study)
    entries += [e for e in ladder if e.rank != request.rank or e.name not in [r.name for r in results]]
    return entries


def comparison(this: Run, entries: Sequence[RatingsEntry], rank: int) -> None:
    tables.show(this.console, f"Comparison at K = {rank}: ELBO and NLL in nats per rating, in brackets standard errors "
                "over the test ratings; seconds of fitting, in all and to 1% of the best", (
                "method", "by", "ELBO", "train NLL", "valid.", "test", "test RMSE", "epochs", "seconds", "to 1%"), [
        (e.name, e.by, decimals(e.elbo_per_rating), decimals(e.train_nll), decimals(e.validation_nll),
         with_error(e.test_nll, e.test_nll_error), with_error(e.test_rmse, e.test_rmse_error), e.steps, e.seconds,
         e.seconds_to_1_percent)
        for e in entries])


def ranks(this: Run, ladder: Sequence[RatingsEntry], samples: int) -> None:
    tables.show(this.console, f"{ladder[0].name} at each rank; NLLs over {samples} samples, train NLL of 1 in "
                f"{RANKED_SCORES} ratings", (
        "K", "ELBO", "train NLL", "test NLL", "test RMSE", "epochs", "seconds"), [
        (e.rank, decimals(e.elbo_per_rating), decimals(e.train_nll), decimals(e.test_nll),
         decimals(e.test_rmse), e.steps, e.seconds) for e in ladder])


def figures(this: Run, study: Study) -> None:
    """The figures, and the sentences that go with them."""
    request, parts, results, N = study.request, study.parts, study.results, study.num_ratings
    if study.ranked:
        views.by_rank(this.folder, study.ranked, N)
    noise = gradients.spreads(parts.train, request.rank, generator(this.seed, "gradients", parts.train.device),
                              **request.variances)
    views.gradients(this.folder, noise)
    this.say(*words.comparison(results, N), *words.ranks(study.ranked, N, request.variances), gradients.in_words(noise),
             *doubts(results[0], parts.test.rating.cpu().numpy()))
    this.console.print()
    views.learning(this.folder, results, N, TRAJECTORY if request.recipe == "reference" else None)
    views.predictions(this.folder, parts.test.rating.cpu().numpy(), results)
    count = torch.bincount(parts.train.user, minlength=parts.train.num_users)
    views.uncertainty(this.folder, count[parts.test.user].cpu().numpy(), results)


def epochs(this: Run, result: Result, num_ratings: int, samples: int) -> None:
    """The reference's printout: per epoch the ELBO as a loss, the time, and the three NLLs."""
    t = {name: values.mean(0) for name, values in result.trace.items()}
    seconds = result.seconds.mean(0).cumsum()
    steps = [s for s in range(result.steps) if s < 10 or (s + 1) % 10 == 0 or s == result.steps - 1]
    this.console.print(f"[bold]{escape(result.name)}[/]: the ELBO as a loss, and the NLL over {samples} samples of U "
                       f"and V; nats per rating, log(2 pi) / 2 = 0.919 included", soft_wrap=True, highlight=False)
    tables.show(this.console, "",
                ("epoch", "ELBO", "seconds", "train NLL", "validation NLL", "test NLL"),
                [(s + 1, decimals(-t["elbo"][s] / num_ratings), float(seconds[s]),
                  *(decimals(t[n][s]) if n in t else None for n in ("train_nll", "validation_nll", "test_nll")))
                 for s in steps])
