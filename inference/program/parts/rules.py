"""What torch's operations are on single numbers, and their derivatives: the rules of `entries.py`.

In a rule {0}, {1} are the operands, {y} the value and {g} d log p / dy. The first text is the value, the others are
what is added to d log p / d of each operand; an operand without a text has no derivative.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from scipy import special

Entry = tuple[Any, ...]  # the name of an operation and the places of its operands; or "constant", x; or "given", k

FRESH = {"zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like", "new_zeros", "new_ones",
         "new_full", "new_empty"}  # of a shape alone
MOVES = {"view", "_unsafe_view", "reshape", "select", "slice", "unsqueeze", "squeeze", "expand", "permute", "transpose",
         "t", "stack", "cat", "index", "index_select", "gather", "split", "split_with_sizes", "unbind", "alias",
         "detach", "clone", "flip", "diagonal", "tril", "triu", "unfold", "repeat", "roll", "lift_fresh"}

EACH = {
    "add": ("{0}+{1}", "{g}", "{g}"),
    "sub": ("{0}-{1}", "{g}", "-{g}"),
    "mul": ("{0}*{1}", "{g}*{1}", "{g}*{0}"),
    "div": ("{0}/{1}", "{g}/{1}", "-{g}*{y}/{1}"),
    "pow": ("power({0},{1})", "{g}*{1}*power({0},{1}-1.0)", "{g}*{y}*log({0})"),
    "square": ("{0}*{0}", "2.0*{g}*{0}"),
    "xlogy": ("xlogy({0},{1})", "{g}*log({1})", "{g}*{0}/{1}"),
    "neg": ("-{0}", "-{g}"),
    "reciprocal": ("1.0/{0}", "-{g}*{y}*{y}"),
    "exp": ("exp({0})", "{g}*{y}"),
    "expm1": ("expm1({0})", "{g}*({y}+1.0)"),
    "log": ("log({0})", "{g}/{0}"),
    "log1p": ("log1p({0})", "{g}/(1.0+{0})"),
    "sqrt": ("sqrt({0})", "0.5*{g}/{y}"),
    "rsqrt": ("1.0/sqrt({0})", "-0.5*{g}*{y}/{0}"),
    "tanh": ("tanh({0})", "{g}*(1.0-{y}*{y})"),
    "sigmoid": ("sigmoid({0})", "{g}*{y}*(1.0-{y})"),
    "softplus": ("logaddexp(0.0,{0})", "{g}*sigmoid({0})"),
    "logaddexp": ("logaddexp({0},{1})", "{g}*exp({0}-{y})", "{g}*exp({1}-{y})"),
    "lgamma": ("lgamma({0})", "{g}*digamma({0})"),
    "abs": ("abs({0})", "{g}*(({0}>0.0)-({0}<0.0))"),
    "sin": ("sin({0})", "{g}*cos({0})"),
    "cos": ("cos({0})", "-{g}*sin({0})"),
    "atan": ("atan({0})", "{g}/(1.0+{0}*{0})"),
    "erf": ("erf({0})", f"{{g}}*{2 / math.sqrt(math.pi)!r}*exp(-{{0}}*{{0}})"),
    "maximum": ("{0} if {0}>={1} else {1}", "{g}*({0}>={1})", "{g}*({0}<{1})"),
    "minimum": ("{0} if {0}<={1} else {1}", "{g}*({0}<={1})", "{g}*({0}>{1})"),
    "where": ("{1} if {0} else {2}", "", "{g} if {0} else 0.0", "0.0 if {0} else {g}"),
    "gt": ("{0}>{1}",), "ge": ("{0}>={1}",), "lt": ("{0}<{1}",), "le": ("{0}<={1}",),
    "eq": ("{0}=={1}",), "ne": ("{0}!={1}",),
    "logical_and": ("{0} and {1}",), "logical_or": ("{0} or {1}",), "logical_not": ("not {0}",),
    "bitwise_and": ("{0} and {1}",), "bitwise_or": ("{0} or {1}",), "bitwise_not": ("not {0}",),
}
ROWS = {"sum": "{g}", "logsumexp": "{g}*exp({x}-{y})"}  # of any number of operands x


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def logaddexp(a: float, b: float) -> float:
    high, low = (a, b) if a >= b else (b, a)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def xlogy(x: float, y: float) -> float:
    return 0.0 if x == 0 else x * math.log(y)


def logsumexp(xs: Sequence[float]) -> float:
    high = max(xs)
    return high if math.isinf(high) else high + math.log(sum(math.exp(x - high) for x in xs))


def digamma(x: float) -> float:
    return float(special.digamma(x))


FUNCTIONS = {name: getattr(math, name) for name in (
    "exp", "expm1", "log", "log1p", "sqrt", "tanh", "lgamma", "sin", "cos", "atan", "erf", "inf", "nan")} | {
    "power": math.pow, "sigmoid": sigmoid, "logaddexp": logaddexp, "logsumexp": logsumexp, "xlogy": xlogy,
    "digamma": digamma}


def operands(entry: Entry) -> Sequence[int]:
    return () if entry[0] in ("constant", "given") else entry[1:]


def named(k: int, entry: Entry) -> str:
    return f"({float(entry[1])!r})" if entry[0] == "constant" else f"y{k}"


def value(entry: Entry, names: Sequence[str]) -> str:
    """The text of an operation's value."""
    given = [names[j] for j in operands(entry)]
    return f"{entry[0]}(({','.join(given)},))" if entry[0] in ROWS else EACH[entry[0]][0].format(*given)


def slopes(k: int, entry: Entry, names: Sequence[str], varies: Sequence[bool]) -> Iterator[tuple[int, str]]:
    """What is added to d log p / d of every operand that varies."""
    if entry[0] in ("constant", "given"):
        return
    given, at = [names[j] for j in operands(entry)], {"y": f"y{k}", "g": f"g{k}"}
    for i, j in enumerate(operands(entry)):
        rule = ROWS[entry[0]] if entry[0] in ROWS else (*EACH[entry[0]][1:], *[""] * len(given))[i]
        if rule and varies[j]:
            yield j, rule.format(*given, x=given[i], **at)
