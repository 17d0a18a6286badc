"""The text formats in which others exchange Markov networks: UAI and libDAI's factor graphs.

    UAI    MARKOV, the number of variables, their numbers of states, the number of factors, every factor's
           scope (size, variables), every factor's table (size, values); last variable fastest
    .fg    the number of factors; of each: the number of variables, the variables, their numbers of
           states, the number of entries, lines (index, value); first variable fastest; entries left out are 0

Values are factors in linear space, not logarithms. White space of any kind separates words; a # begins a comment.
Sources: UAI 2014 inference competition; libDAI, doc/fileformats.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data.words import Words
from errors import InputError, short

LARGEST, SPARSE = 10**6, 1000  # entries of a table, beyond which it may not have so many times what is listed


@dataclass(frozen=True)
class Factors:
    """A network. Table f has one axis per variable of scope f, in its order, as long as that has states."""

    states: list[int]  # of every variable
    scopes: list[list[int]]
    tables: list[np.ndarray]

    @property
    def num_variables(self) -> int:
        return len(self.states)

    @property
    def num_labels(self) -> int:
        """Of the variable that has most."""
        return max(self.states)


def parse_uai(text: str) -> Factors:
    words = Words(re.sub(r"#.*", "", text))
    kind = words.take(1, "the word MARKOV")[0]
    if kind == "BAYES":
        raise InputError("is a Bayesian network (BAYES); a grid model is a Markov network (MARKOV)")
    if kind != "MARKOV":
        raise InputError(f"begins with '{short(kind, 20)}' where a UAI file has MARKOV")
    states = words.wholes(words.whole("the number of variables"), "the variables' numbers of states")
    check_states(states)
    scopes = []
    for f in range(words.whole("the number of factors")):
        scopes.append(words.wholes(words.whole(f"the scope of factor {f}"), f"the scope of factor {f}"))
        _check_scope(f, scopes[f], len(states))
    tables = []
    for f, scope in enumerate(scopes):
        size, own = words.whole(f"the table of factor {f}"), [states[v] for v in scope]
        if size != math.prod(own):
            raise InputError(f"the table of factor {f} has {size} entries, but its {len(scope)} variables "
                             f"have {math.prod(own)} joint states")
        tables.append(np.array(words.numbers(size, f"the table of factor {f}")).reshape(own))
    words.end()
    return Factors(states, scopes, tables)


def parse_fg(text: str) -> Factors:
    words = Words(re.sub(r"#.*", "", text))
    states: dict[int, int] = {}
    scopes, tables = [], []
    for f in range(words.whole("the number of factors")):
        scope = words.wholes(words.whole(f"the number of variables of factor {f}"), f"the variables of factor {f}")
        _check_scope(f, scope, None)
        own = words.wholes(len(scope), f"the numbers of states of factor {f}")
        for variable, count in zip(scope, own, strict=True):
            if states.setdefault(variable, count) != count:
                raise InputError(f"variable {variable} has {states[variable]} states in one factor "
                                 f"and {count} in factor {f}")
        scopes.append(scope)
        tables.append(_entries(words, f, own))
    words.end()
    n = len(states)
    if n and max(states) >= n:
        absent = next(v for v in range(n) if v not in states)
        raise InputError(f"variable {absent} is in no factor; variables are numbered from 0 without gaps")
    check_states([states[v] for v in range(n)])
    return Factors([states[v] for v in range(n)], scopes, tables)


def _entries(words: Words, f: int, states: list[int]) -> np.ndarray:
    """The table of a factor of a .fg file, whose entries may come in any order; those left out are 0."""
    size = math.prod(states)
    listed = words.whole(f"the number of entries of factor {f}")
    if listed > size:
        raise InputError(f"factor {f} lists {listed} entries, and its variables have {size} joint states")
    if size > LARGEST and size > SPARSE * listed:
        raise InputError(f"factor {f} lists {listed} entries of {short(size)} joint states: a table so large and so "
                         f"empty is not read")
    numbers = words.numbers(2 * listed, f"the entries of factor {f}")
    if len(set(numbers[::2])) < listed or not all(0 <= k < size and k == int(k) for k in numbers[::2]):
        raise InputError(f"the entries of factor {f} are not numbered from 0 to {size - 1}, each at most once")
    table = np.zeros(size)
    table[np.array(numbers[::2], dtype=int)] = numbers[1::2]
    return table.reshape(states, order="F")


Table = tuple[Sequence[int], Sequence[float]]  # a scope, and its values with the last variable fastest


def format_uai(n: int, K: int, factors: Sequence[Table]) -> str:
    """The UAI text of factors; numbers keep all their digits, and have no exponents, which pgmpy cannot read."""
    lines = ["MARKOV", str(n), " ".join([str(K)] * n), str(len(factors))]
    lines += [" ".join(map(str, (len(scope), *scope))) for scope, table in factors]
    lines += [f"{len(table)} {' '.join(map(_digits, table))}" for scope, table in factors]
    return "\n".join(lines) + "\n"


def format_fg(n: int, K: int, factors: Sequence[Table]) -> str:
    """The text of factors as libDAI reads them; entries of 0 are left out."""
    blocks = [str(len(factors))]
    for scope, table in factors:
        turned = np.reshape(table, [K] * len(scope)).ravel("F").tolist()
        entries = [f"{at} {value!r}" for at, value in enumerate(turned) if value]
        blocks.append("\n".join([f"{len(scope)}", " ".join(map(str, scope)), " ".join([str(K)] * len(scope)),
                                 str(len(entries)), *entries]))
    return "\n\n".join(blocks) + "\n"


def _digits(value: float) -> str:
    """
    >>> _digits(2.5e-7), _digits(3.0)
    ('0.00000025', '3.0')
    """
    return repr(value) if "e" not in repr(value) else np.format_float_positional(value, trim="0")


def check_states(states: list[int]) -> None:
    """Errors: InputError for no variables, or for variables without a choice."""
    if not states:
        raise InputError("has no variables")
    if min(states) < 1:
        raise InputError(f"variable {states.index(min(states))} has no states")
    if max(states) < 2:
        raise InputError("its variables have 1 state; a grid needs at least 2 labels")


def _check_scope(f: int, scope: list[int], n: int | None) -> None:
    if len(scope) > 2:
        raise InputError(f"factor {f} joins {len(scope)} variables; a grid model is pairwise")
    if len(set(scope)) < len(scope):
        raise InputError(f"factor {f} has variable {scope[0]} twice")
    if n is not None and max(scope, default=0) >= n:
        raise InputError(f"factor {f} has variable {max(scope)}, but the variables are 0 to {n - 1}")
