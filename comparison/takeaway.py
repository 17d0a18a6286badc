"""What a person should remember of a run: which method is best here, by how much, and with what doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from comparison import measures
from inference.result import Result

WITHIN = 2.0  # standard errors that do not tell two results apart
SHOWN = 3  # names in a sentence


def predicts(results: Sequence[Result]) -> str:
    """Whose predictions of the test ratings are best, and which others cannot be told from it; "" where none is scored.
    """
    scored = sorted(((nll, r) for r in results if np.isfinite(nll := float(r.expected.get("test_nll", np.nan)))),
                    key=lambda pair: pair[0])
    if not scored:
        return ""
    nll, best = scored[0]
    said = f"{best.name} predicts the test ratings best here (NLL {nll:.4f} nats a rating)"
    if len(scored) == 1:
        return f"{best.name} predicts the test ratings with an NLL of {nll:.4f} nats; nothing here is beside it."
    gaps = [(r.name, *(measures.paired(best, r) or (other - nll, None))) for other, r in scored[1:]]
    tied = [name for name, gap, error in gaps if error is not None and gap <= WITHIN * error]
    apart = [line for line in gaps if line[0] not in tied]
    if tied:
        said += f", which {listed(tied)} cannot be told from: less than {WITHIN:g} standard errors away"
    if apart:
        name, gap, error = apart[0]
        doubt = "" if error is None else f", give or take {WITHIN * error:.2g}"
        said += f"; {name} is {gap:.2g} nats a rating worse{doubt}"
    return f"{said}. It is one split of the ratings and one seed; --sweep seed=0-4 shows how much of it is chance."


def bounds(results: Sequence[Result], num_ratings: int) -> str:
    """Which variational fit has the highest ELBO, by how much; "" where there are not two."""
    known = sorted(((e / num_ratings, r.name) for r in results
                    if r.family == "variational" and (e := r.final("elbo")) is not None), reverse=True)
    if len(known) < 2:
        return ""
    (best, name), (second, other) = known[:2]
    return (f"By its ELBO {name} is nearest to the posterior ({best:.4f} nats a rating), {other} next "
            f"({best - second:.2g} lower).")


def listed(names: Sequence[str]) -> str:
    """
    >>> listed(["a", "b"]), listed(["a", "b", "c", "d", "e"])
    ('a and b', 'a, b, c and 2 more')
    """
    if len(names) > SHOWN:
        return f"{', '.join(names[:SHOWN])} and {len(names) - SHOWN} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def goes(values: Mapping[str, float | None], unit: str = "") -> str:
    """The same with its verb.

    >>> goes({"a": 0.5, "b": 2.0}), goes({"a": 0.5}, " nats"), goes({})
    ('goes from 0.5 (a) to 2 (b)', 'is 0.5 nats (a)', 'is not known')
    """
    found = span(values, unit)
    return f"goes {found}" if found.startswith("from") else f"is {found or 'not known'}"


def span(values: Mapping[str, float | None], unit: str = "") -> str:
    """The least and the most of what methods have, with their names; "" of nothing.

    >>> span({"a": 0.5, "b": 2.0, "c": None}, " nats")
    'from 0.5 nats (a) to 2 nats (b)'
    """
    known = {name: value for name, value in values.items() if value is not None and np.isfinite(value)}
    if not known:
        return ""
    low, high = min(known, key=lambda n: known[n]), max(known, key=lambda n: known[n])
    if len(known) == 1:
        return f"{known[low]:.4g}{unit} ({low})"
    return f"from {known[low]:.4g}{unit} ({low}) to {known[high]:.4g}{unit} ({high})"
