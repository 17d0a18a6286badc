"""What goes with a UAI model: its single marginals (.MAR) and its evidence (.evid).

    MAR    the word MAR, of how many samples of evidence where the file says it (1), the number of variables, of each
           its number of states and their probabilities
    evid   of how many samples where the file says it (1), the number of variables that are known, of each itself and
           its state

Both have been written with and without the number of samples; which it is follows from how many words there are.
Sources: UAI 2008 to 2014 inference competitions.
"""

from __future__ import annotations

import re

import numpy as np
from jaxtyping import Float64

from data.factor_files import check_states
from data.words import Words
from errors import InputError, short


def parse_marginals(text: str) -> Float64[np.ndarray, "n K"]:
    """The single marginals, with 0 for states that a variable lacks."""
    words = Words(re.sub(r"#.*", "", text))
    if words.take(1, "the word MAR")[0] != "MAR":
        raise InputError("does not begin with MAR as a UAI file of marginals does")
    try:
        rows = _rows(words)
    except InputError as error:
        again = Words(words.text)
        if again.take(2, "the number of variables")[1] != "1":
            raise
        try:
            rows = _rows(again)
        except InputError:
            raise error from None
    check_states([len(row) for row in rows])
    table = np.zeros((len(rows), max(map(len, rows))))
    for v, row in enumerate(rows):
        table[v, :len(row)] = row
    wrong = ~((table >= 0).all(1) & (abs(table.sum(1) - 1) < 1e-3))  # files have few digits; NaN is wrong too
    if wrong.any():
        raise InputError(f"the marginal of variable {wrong.argmax()} is not a distribution: "
                         f"{short(table[wrong.argmax()])}")
    return table


def _rows(words: Words) -> list[list[float]]:
    rows = [words.numbers(words.whole(f"the number of states of variable {v}"), f"the marginal of variable {v}")
            for v in range(words.whole("the number of variables"))]
    words.end()
    return rows


def format_marginals(marginals: Float64[np.ndarray, "n K"]) -> str:
    """The text of marginals, all digits, without a number of samples."""
    lines = [" ".join([str(len(row)), *map(repr, row)]) for row in marginals.tolist()]
    return "\n".join(["MAR", str(len(lines)), *lines]) + "\n"


def parse_evidence(text: str) -> dict[int, int]:
    """The state of every variable that is known."""
    words = Words(re.sub(r"#.*", "", text))
    samples = words.whole("the number of samples of evidence") if len(words.words) % 2 == 0 and words.words else 1
    if samples > 1:
        raise InputError(f"holds {samples} samples of evidence; give a file with one")
    known: dict[int, int] = {}
    for _ in range(words.whole("the number of variables that are known") if samples else 0):
        variable, state = words.wholes(2, "a variable that is known and its state")
        if known.setdefault(variable, state) != state:
            raise InputError(f"variable {variable} is known to be {known[variable]} and {state}")
    words.end()
    return known
