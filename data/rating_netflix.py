"""Netflix's prize data as a sheet: a line `1:` before the ratings of movie 1, each a line customer,rating,date."""

from __future__ import annotations

import itertools
import re

from data.rating_text import SAMPLE, TextSheet, read
from errors import InputError

HEADER = ["CustomerID", "Rating", "Date", "MovieID"]  # as its README calls them; the last comes from above the lines


def is_netflix(text: str) -> bool:
    """
    >>> is_netflix("1:" + chr(10) + "1488844,3,2005-09-06"), is_netflix("1,2,3")
    (True, False)
    """
    return re.match(r"\s*\d+:[ \t]*\n\s*\d+", text) is not None


def sheet(name: str, text: str) -> TextSheet:
    """Every rating with its movie behind it; the line of a movie is blank, so that all keep their numbers.

    Errors: InputError for a file of pairs without ratings.
    """
    before, *parts = re.split(r"(?m)^[ \t]*(\d+):[ \t]*$", text)
    body = before + "".join(_of(movie, lines.strip("\n")) for movie, lines in zip(
        parts[::2], parts[1::2], strict=True))
    sample = [row for _, row in itertools.islice(read(body, ","), SAMPLE)]
    if all(len(row) < len(HEADER) for row in sample):
        raise InputError(f"{name} says who is to be predicted, as Netflix's qualifying.txt does, and has no ratings: "
                         f"give a file like combined_data_1.txt")
    return TextSheet(name, HEADER, body.encode(), ",", len(HEADER), 1, sample)


def _of(movie: str, lines: str) -> str:
    return "\n" + (lines.replace("\n", f",{movie}\n") + f",{movie}\n") * bool(lines)
