"""Problem 2's tables, figures and sentences."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from experiments.problem2 import gradients, words
from experiments.problem2.checkpoints import TRAJECTORY
from experiments.problem2.request import RANKED_SCORES
from experiments.problem2.study import Study
from experiments.ratings import captions
from experiments.ratings.calibration import calibration
from experiments.ratings.entries import RatingsEntry
from experiments.ratings.words import doubts
from inference.job import generator
from inference.result import Result
from runs.run import Run
from views import factorization as views
from views import ratings
from views.figures import begin
from views.numbers import decimals, three, with_error


def show(this: Run, study: Study) -> list[RatingsEntry]:
    """The tables, the words and the figures; returns the lines of `summary.json`."""
    request, results, N = study.request, study.results, study.num_ratings
    begin(r.name for r in results)
    this.story.part(f"{N:,} ratings, K = {request.rank}")
    told = [r for r in results if "elbo" in r.trace and r.by != "hand"] or [r for r in results if "elbo" in r.trace]
    for result in told if request.method else told[:1]:
        epochs(this, result, N, request.samples)
    entries = scores(this, study)
    figures(this, study)
    return entries


def scores(this: Run, study: Study) -> list[RatingsEntry]:
    """The tables of scores: every fit at --rank, and one of them at each rank."""
    request, results, N = study.request, study.results, study.num_ratings
    test = study.parts.test.rating.cpu().numpy()
    entries = [RatingsEntry.fitted(r, request.rank, N, test) for r in results]
    if entries:
        comparison(this, entries, request.rank)
    ladder = [RatingsEntry.fitted(r, K, N) for K, r in study.ranked.items()]
    if ladder:
        ranks(this, ladder, request.ranked_samples)
    return entries + [e for e in ladder if e.rank != request.rank or e.name not in [r.name for r in results]]


def comparison(this: Run, entries: Sequence[RatingsEntry], rank: int) -> None:
    this.table(f"Comparison at K = {rank}: ELBO and NLL in nats per rating, in brackets standard errors "
                "over the test ratings; seconds of fitting, in all and to 1% of the best", (
                "method", "by", "ELBO", "train NLL", "valid.", "test", "test RMSE", "epochs", "seconds", "to 1%"), [
        (e.name, e.by, decimals(e.elbo_per_rating), decimals(e.train_nll), decimals(e.validation_nll),
         with_error(e.test_nll, e.test_nll_error), with_error(e.test_rmse, e.test_rmse_error), e.steps,
         three(e.seconds), three(e.seconds_to_1_percent))
        for e in entries], ("by", "train NLL", "valid.", "to 1%", "epochs", "test RMSE"))


def ranks(this: Run, ladder: Sequence[RatingsEntry], samples: int) -> None:
    this.table(f"{ladder[0].name} at each rank; NLLs over {samples} samples, train NLL of 1 in "
                f"{RANKED_SCORES} ratings", (
        "K", "ELBO", "train NLL", "test NLL", "test RMSE", "epochs", "seconds"), [
        (e.rank, decimals(e.elbo_per_rating), decimals(e.train_nll), decimals(e.test_nll),
         decimals(e.test_rmse), e.steps, three(e.seconds)) for e in ladder])


def figures(this: Run, study: Study) -> None:
    """The figures with what each shows, and the sentences that go with them."""
    request, parts, results, N, story = study.request, study.parts, study.results, study.num_ratings, this.story
    test, by_rank = parts.test.rating.cpu().numpy(), words.ranks(study.ranked, N, request.variances)
    if study.ranked:
        said = " ".join(by_rank[:1]) or captions.by_rank(study.ranked)
        story.figure(views.by_rank(this.folder, study.ranked, N), said)
    noise = gradients.spreads(parts.train, request.rank, generator(this.seed, "gradients", parts.train.device),
                              **request.variances)
    story.figure(views.gradients(this.folder, noise, gradients.METHODS), gradients.in_words(noise))
    this.say(*words.comparison(results, N), *by_rank, gradients.in_words(noise))
    story.doubt(*doubts(results[0], test))
    this.console.print()
    reference = TRAJECTORY if request.recipe == "reference" else None
    story.figure(views.learning(this.folder, results, N, reference), captions.learning(results, N))
    story.figure(ratings.overview(this.folder, study.best), captions.overview(parts.train))
    story.figure(ratings.items(this.folder, study.best), captions.items(study.best))
    if len(parts.test):
        calibration(this, study.best, parts)
    story.figure(views.predictions(this.folder, test, results), captions.predictions(results))
    count = torch.bincount(parts.train.user, minlength=parts.train.num_users)
    story.figure(views.uncertainty(this.folder, count[parts.test.user].cpu().numpy(), results),
                 captions.uncertainty(results))


def epochs(this: Run, result: Result, num_ratings: int, samples: int) -> None:
    """The reference's printout: per epoch the ELBO (it prints minus that), the time, and the three NLLs."""
    t = {name: values.mean(0) for name, values in result.trace.items()}
    seconds = result.seconds.mean(0).cumsum()
    steps = [s for s in range(result.steps) if s < 10 or (s + 1) % 10 == 0 or s == result.steps - 1]
    this.table(f"{result.name}: the ELBO, and the NLL over {samples} samples of U and V; nats per rating, "
               f"log(2 pi) / 2 = 0.919 included",
               ("epoch", "ELBO", "seconds", "train NLL", "validation NLL", "test NLL"),
               [(s + 1, decimals(t["elbo"][s] / num_ratings), three(float(seconds[s])),
                 *(decimals(t[n][s]) if n in t else None for n in ("train_nll", "validation_nll", "test_nll")))
                for s in steps])
