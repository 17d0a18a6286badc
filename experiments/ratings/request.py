"""What Problems 2 and 3 are asked alike: which ratings, and what to make of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from data.rating_pairs import DUPLICATES
from data.ratings import NAMES
from errors import InputError, unknown
from ranks import group
from runs import options, request
from runs.request import option

RATINGS, METHODS = "the ratings", "the methods"
SHARES = "0.98,0.01,0.01"  # of training, validation and test set: the reference's
JESTER = "jester-5k.csv.gz"  # real ratings with published numbers, in the directory that --outside names


def divisible(specs: Sequence[str]) -> tuple[str, ...]:
    """Those of some methods, as `--method` has them, that several ranks can run; on one rank all."""
    def can(spec: str) -> bool:
        return "sgd" not in spec and hasattr(options.parse("factorization", spec).method.module, "USERS")

    return tuple(spec for spec in specs if group.size() == 1 or can(spec))


@dataclass(frozen=True, kw_only=True)
class Request(request.Request):
    """Which ratings, split how."""

    kind: ClassVar[str] = "factorization"
    reads: ClassVar[tuple[str, ...]] = ("ratings", "test_ratings", "outside")
    names: ClassVar[tuple[str, ...]] = NAMES
    ratings: str = option("jester-like", "jester-like (made from the seed; the default), jester (downloaded), or a "
                          "file: CSV, TSV, MovieLens, a matrix, Parquet (a folder of it too), MatrixMarket; packed by "
                          "gzip, bzip2, xz, zip or not", metavar="NAME|FILE", group=RATINGS)
    columns: str | None = option(None, "which columns of the file are which, by name or number (default: by the names "
                                 "that they usually have); time decides which of --duplicates is the last",
                                 metavar="user=...,item=...,rating=...[,time=...]", group=RATINGS)
    duplicates: str = option("refuse", "of a pair that is rated twice: refuse, last or mean (default refuse)",
                             metavar="WHICH", group=RATINGS)
    test_ratings: str | None = option(None, "a given test set, like u1.test beside --ratings u1.base", metavar="FILE",
                                      group=RATINGS)
    scale: str = option("auto", "auto, jester (-10..10 to 1..5 stars), keep, or LOW,HIGH", group=RATINGS)
    split: str | None = option(None, f"shares of train, validation and test (default {SHARES})", metavar="A,B,C",
                               group=RATINGS)
    subsample: float = option(1.0, "train on this share of the training set", metavar="SHARE", group=RATINGS)
    recommend: str | None = option(None, "after the fit, list the best unrated items for this user", metavar="USER",
                                   group=RATINGS)
    top: int = option(10, "how many to list (default 10)", metavar="N", group=RATINGS)
    noise_variance: float | None = option(None, "the variance of a rating about its mean, in squared rating units "
                                          "(default 1)", metavar="V", group=METHODS)
    prior_variance: float | None = option(None, "of every entry of U and V, and of a bias, which it gives in squared "
                                          "rating units (default 5)", metavar="V",
                                          group=METHODS)
    clip: bool = option(False, "predictions end at the ends of the ratings' scale: means, errors and intervals; "
                        "densities stay as they are", group=METHODS)
    outside: Path | None = option(None, f"a directory with {JESTER}, for the checkpoints on real ratings",
                                  metavar="DIR")

    def __post_init__(self) -> None:
        if self.top < 1:
            raise InputError(f"--top must be at least 1, not {self.top}")
        for name, value in self.variances.items():
            if not 0 < value < math.inf:
                raise InputError(f"{request.flag(name)} must be a positive finite number, not {value:g}: it is in "
                                 f"squared rating units")
        if self.duplicates not in DUPLICATES:
            raise unknown("--duplicates", self.duplicates, DUPLICATES)
        if self.outside and not (self.outside / JESTER).is_file():
            raise InputError(f"--outside {self.outside} holds no {JESTER}")
        if self.test_ratings and self.split:
            raise InputError("--test-ratings is a given test set, --split makes one: give one of the two")

    @property
    def reference(self) -> bool:
        """Whether the run is about ratings of the reference's kind, to which its bounds apply."""
        return self.ratings in NAMES and not self.test_ratings and not self.variances

    @property
    def variances(self) -> dict[str, float]:
        """The variances that were given, by the model's names for them."""
        given = {"noise_variance": self.noise_variance, "prior_variance": self.prior_variance}
        return {name: value for name, value in given.items() if value is not None}

    def idle(self) -> dict[str, str]:
        found = {"outside": "--bare leaves out the checkpoints that would read it"} if self.bare else {}
        if self.recommend is None:
            found["top"] = "it is how many --recommend USER lists"
        if self.ratings == "jester-like" and not self.test_ratings:
            found["scale"] = "jester-like ratings are stars from 1 to 5 as they are made"
        if self.ratings in NAMES and not self.test_ratings:
            found |= dict.fromkeys(("columns", "duplicates"), f"{self.ratings} is built in, and has none to choose")
        if self.test_ratings and self.subsample == 1:
            found["data_seed"] = "nothing is made, split or left out at random where --test-ratings are given"
        return found
