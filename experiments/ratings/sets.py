"""The three sets of ratings that a request leads to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from rich.console import Console

from data.jester import looks_like_jester, parse_scale
from data.rating_matrix import JESTER_SCALE
from data.ratings import Reading, Split, load_ratings, parse_fractions, read_split, split, subsample, to_stars
from experiments.ratings.request import SHARES, Request
from inference.job import generator


def load(request: Request, console: Console, times: bool = False) -> Split:
    """The three sets that are asked for, on the device, with their times if these are asked for and there; says what a
    reader should know about them."""
    def say(line: str) -> None:
        console.print(line, soft_wrap=True, highlight=False, markup=False)

    seed = request.seed_of_data
    if request.test_ratings:
        parts = _given(request, request.test_ratings, say, times)
    else:
        shares = parse_fractions(request.split or SHARES)
        ratings = load_ratings(request.ratings, seed, request.scale, say, columns=request.columns,
                               duplicates=request.duplicates, times=times,
                               apart=apart(request, shares))
        parts = split(ratings, shares, rng=generator(seed, "split"))
    if request.subsample != 1:
        train = subsample(parts.train, request.subsample, rng=generator(seed, "subsample"))
        parts = Split(train, parts.validation, parts.test)
    if not request.test_ratings or request.subsample != 1:
        for what, count in (("user", parts.unseen_users), ("item", parts.unseen_items)):
            if count:
                say(f"{count:,} {what}{'s' * (count > 1)} of the test set never occur{'s' * (count == 1)} in the "
                    f"training set: predicted from the prior")
    return on_device(parts, request.place)


def apart(request: Request, shares: Sequence[float]) -> bool:
    """Whether nothing that is asked for needs all training ratings in one process: no report, no list for a user, no
    features of them; and predictions are kept of a test set."""
    needy = {"features", "ordinal", "time"} & set(getattr(request, "model", "").split("+"))
    return request.bare and request.recommend is None and shares[2] > 0 and not needy


def _given(request: Request, test: str, say: Callable[[str], None], times: bool) -> Split:
    """Training and test set as two files."""
    known = {"auto": None, "keep": None, "jester": JESTER_SCALE}
    limits = known[request.scale] if request.scale in known else parse_scale(request.scale)
    how = Reading(request.columns, request.duplicates, say, times=times)
    parts = read_split(request.ratings, test, limits, say, how)
    if request.scale == "jester" or (request.scale == "auto" and looks_like_jester(parts.train)):
        say("the ratings from -10 to 10 are mapped to 1 to 5 stars by ceil((x + 10) / 4)")
        parts = Split(to_stars(parts.train), parts.validation, to_stars(parts.test))
    return parts


def on_device(parts: Split, device: torch.device) -> Split:
    return Split(parts.train.to(device).settled(), parts.validation.to(device), parts.test.to(device))
