"""One door to ratings: a built-in name or a file -> `Ratings`; then `split` and `subsample`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from data import rating_folder
from data.jester import download_jester, looks_like_jester, parse_scale, to_stars
from data.jester_like import jester_like
from data.rating_files import Reading, read_ratings
from data.rating_matrix import JESTER_SCALE
from data.split import Split, parse_fractions, read_split, split, subsample
from errors import InputError, unknown
from models.ratings import Ratings

__all__ = ["NAMES", "Ratings", "Reading", "Split", "jester_like", "load_ratings", "parse_fractions", "read_ratings",
           "read_split", "split", "subsample", "to_stars"]

NAMES = ("jester-like", "jester")


def load_ratings(
    source: str | Path, seed: int = 0, scale: str = "auto", say: Callable[[str], None] = print, *,
    columns: str | None = None, duplicates: str = "refuse", apart: bool = False, times: bool = False,
) -> Ratings:
    """The ratings called `source`: 'jester-like' (made from `seed`), 'jester' (downloaded), or a file.

    `scale` is one of
        auto        Jester's -10..10 is mapped to 1..5 stars (and `say` is told), anything else is kept
        jester      the ratings are on Jester's scale, and are mapped
        keep        the ratings stay as they are
        LOW,HIGH    they stay as they are, and one below LOW or above HIGH is refused

    `columns` ("user=reviewer,item=asin,rating=overall") says which those of a file are, where their names do not;
    `duplicates` whether a pair that is rated twice is refused, or counts by its last rating or by the mean; `apart`
    whether each of several ranks reads only its own part of a folder, where it can (`data.rating_folder`); `times`
    whether the times of the ratings are read, where there are any, in seconds since 1970.
    """
    if not isinstance(source, str | Path):
        raise InputError(f"ratings are read from a file, by its name, not from a {type(source).__name__}: write a "
                         f"table to a .csv or .parquet first, with columns user, item and rating")
    known = {"auto": None, "keep": None, "jester": JESTER_SCALE}
    limits = known[scale] if scale in known else parse_scale(scale)
    ratings = fetch(str(source), seed, limits, Reading(columns, duplicates, say, apart, times))
    if scale == "jester":
        return to_stars(ratings)
    if scale == "auto" and looks_like_jester(ratings):
        say(f"{source}: the ratings from -10 to 10 are mapped to 1 to 5 stars by ceil((x + 10) / 4)")
        return to_stars(ratings)
    if scale == "auto" and ratings.scale is None:
        low, high = ratings.range
        if low == high:
            say(f"{Path(source).name}: every rating is {low:.10g}: there is nothing in them to learn")
            return ratings
        say(f"{Path(source).name}: the ratings run from {low:.10g} to {high:.10g}; if that is their scale, --scale "
            f"{low:.10g},{high:.10g} says so, and ends predicted intervals there")
    return ratings


def fetch(source: str, seed: int, limits: tuple[float, float] | None, how: Reading) -> Ratings:
    if source == "jester-like":
        if limits not in (None, (1.0, 5.0)):
            raise InputError(f"the ratings of 'jester-like' are on the scale 1 to 5, "
                             f"not {limits[0]:g} to {limits[1]:g}")
        return jester_like(seed)
    if source == "jester":
        return read_ratings(download_jester(say=how.say), limits or JESTER_SCALE)
    path = Path(source)
    if not path.exists() and not path.suffix and path.name == source:
        raise unknown("ratings", source, NAMES)
    if rating_folder.divisible(path, how):
        return rating_folder.read_own(path, limits, how)
    return read_ratings(path, limits, how)
