"""What Problems 2 and 3 share: the arguments about ratings, the three sets they lead to, and recommendations."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import torch
from rich.console import Console

from data.jester import looks_like_jester, parse_scale
from data.rating_text import JESTER_SCALE
from data.ratings import Ratings, Split, load_ratings, parse_fractions, read_split, split, subsample, to_stars
from errors import InputError
from inference.job import generator
from inference.result import Result
from models.ratings import Pairs
from runs import folder
from views import tables

REFERENCE = "0.98,0.01,0.01"
NORMAL_90 = 1.6448536269514722  # 90% of a Gaussian lies within so many standard deviations of its mean


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("ratings").add_argument
    add("--ratings", default="jester-like", metavar="NAME|FILE",
        help="jester-like (made from the seed; the default), jester (downloaded), or a file: CSV, TSV, MovieLens, "
        "Jester's matrix, Parquet, gzipped or not")
    add("--test-ratings", metavar="FILE", help="a given test set, like u1.test beside --ratings u1.base")
    add("--scale", default="auto", help="auto, jester (-10..10 to 1..5 stars), keep, or LOW,HIGH")
    add("--split", metavar="A,B,C", help=f"shares of train, validation and test (default {REFERENCE})")
    add("--subsample", type=float, default=1.0, metavar="SHARE", help="train on this share of the training set")
    add("--data-seed", type=int, help=folder.DATA_SEED)
    add("--bare", action="store_true", help=folder.BARE)
    add("--recommend", metavar="USER", help="after the fit, list the best unrated items for this user")
    add("--top", type=int, default=10, metavar="N", help="how many to list (default 10)")


def load(args: argparse.Namespace, console: Console) -> Split:
    """The three sets that the arguments ask for; says what a reader should know about them."""
    def say(line: str) -> None:
        console.print(line, soft_wrap=True, highlight=False, markup=False)

    if args.top < 1:
        raise InputError(f"--top must be at least 1, not {args.top}")
    if args.test_ratings and args.split:
        raise InputError("--test-ratings is a given test set, --split makes one: give one of the two")
    seed = args.seed if args.data_seed is None else args.data_seed
    if args.test_ratings:
        parts = _given(args, say)
    else:
        ratings = load_ratings(args.ratings, seed, args.scale, say=say)
        parts = split(ratings, parse_fractions(args.split or REFERENCE), rng=generator(seed, "split"))
    if args.subsample != 1:
        train = subsample(parts.train, args.subsample, rng=generator(seed, "subsample"))
        parts = Split(train, parts.validation, parts.test)
    if not args.test_ratings or args.subsample != 1:
        for what, count in (("user", parts.unseen_users), ("item", parts.unseen_items)):
            if count:
                say(f"{count:,} {what}{'s' * (count > 1)} of the test set never occur{'s' * (count == 1)} in the "
                    f"training set: predicted from the prior")
    return parts


def _given(args: argparse.Namespace, say: Callable[[str], None]) -> Split:
    """Training and test set as two files."""
    known = {"auto": None, "keep": None, "jester": JESTER_SCALE}
    limits = known[args.scale] if args.scale in known else parse_scale(args.scale)
    parts = read_split(args.ratings, args.test_ratings, limits, say=say)
    if args.scale == "jester" or (args.scale == "auto" and looks_like_jester(parts.train)):
        say("the ratings from -10 to 10 are mapped to 1 to 5 stars by ceil((x + 10) / 4)")
        parts = Split(to_stars(parts.train), parts.validation, to_stars(parts.test))
    return parts


def unrated(train: Ratings, user: str) -> Pairs:
    """The user of that original id, with every item that has no rating of theirs in the training set."""
    ids = [str(i) for i in (train.user_ids if train.user_ids is not None else range(train.num_users))]
    if user not in ids:
        raise InputError(f"--recommend {user}: there is no user {user}; "
                         f"the ids of the {len(ids):,} users run from {ids[0]} to {ids[-1]}")
    place = ids.index(user)
    rated = torch.zeros(train.num_items, dtype=torch.bool, device=train.device)
    rated[train.item[train.user == place]] = True
    items = torch.nonzero(~rated).flatten()
    if not len(items):
        raise InputError(f"--recommend {user}: user {user} has rated every item")
    return torch.full_like(items, place), items


def recommend(console: Console, user: str, top: int, train: Ratings, pairs: Pairs, result: Result) -> None:
    """The items with the highest predictive mean, by original id, with 90% predictive intervals."""
    mean = result.expected["ask_mean"]
    sd = np.sqrt(result.expected["ask_spread"] ** 2 + result.expected["noise_variance"])
    low, high = mean - NORMAL_90 * sd, mean + NORMAL_90 * sd
    if train.scale:
        low, high = np.clip(low, *train.scale), np.clip(high, *train.scale)
    ids = train.item_ids if train.item_ids is not None else range(train.num_items)
    best = np.argsort(-mean, kind="stable")[:top]
    known = bool((train.user == pairs[0][0]).any())
    why = "" if known else ", who has no rating in the training set: from the prior, which prefers nothing"
    tables.show(console, f"For user {user}{why}, by {result.name}", ("item", "predicted rating", "90% interval"),
                [(str(ids[int(pairs[1][n])]), f"{mean[n]:.2f}", f"{low[n]:.2f} to {high[n]:.2f}") for n in best])
