"""What a result is of, and which results may be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from errors import InputError
from inference.result import Result
from views.numbers import cell

SWEEP = "sweep.json"  # in the folder of a sweep: which options were swept, and their values by cell
PREDICTED = ("train", "test")  # the sets that must be the same, where there are ratings to predict; else all


@dataclass(frozen=True)
class Saved:
    """A result to compare, and the values that a sweep gave to its options.

    path    None for one that was never saved
    result  without its draws and factors, which may be large
    draws   of what is comparable, see `measures.quantities`
    """

    path: Path | None
    result: Result
    draws: np.ndarray | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    label: str = ""
    series: str = ""  # the label without the seed

    @property
    def problem(self) -> str:
        return str(self.result.facts["problem"])

    @property
    def where(self) -> str:
        """Its file, or what it is called in memory."""
        return str(self.path or self.label or self.result.name)

    @property
    def model(self) -> Mapping[str, Any]:
        """The model's class and what it believes, in numbers and words."""
        return self.result.facts["model"]

    @property
    def sets(self) -> Mapping[str, Mapping[str, Any]]:
        """Every set of data: its size and its fingerprint."""
        return self.result.facts["data"]

    @property
    def samples(self) -> int | None:
        """Draws of q behind a score."""
        return self.result.facts.get("samples") if self.result.family == "variational" else None

    @property
    def data(self) -> dict[str, str | None]:
        """Fingerprints of the sets that must be the same."""
        names = PREDICTED if "train" in self.sets else sorted(self.sets)
        return {name: self.sets.get(name, {}).get("fingerprint") for name in names}

    @property
    def discrete(self) -> bool:
        """Whether its NLL is of probabilities of levels, not of densities."""
        return self.result.facts.get("nll") == "discrete"

    @property
    def timed(self) -> bool:
        """Whether it predicts test ratings at their own times."""
        return "times" in self.sets.get("test", {})

    @property
    def source(self) -> str:
        """The same for results of one problem and one set of data."""
        return json.dumps([self.problem, self.data])

    @property
    def target(self) -> str:
        """The same for results whose predictions can be ranked: one source, NLLs of one sort, and as much told of the
        test ratings."""
        return self.source + " discrete" * self.discrete + " timed" * self.timed

    @property
    def law(self) -> str:
        """The same for results of one posterior distribution, whose evidence can be ranked too."""
        return self.target + json.dumps(self.model, sort_keys=True)


def check(results: Sequence[Saved]) -> None:
    """Results of several problems or data sets are refused, unless one sweep made them on purpose."""
    if not results:
        raise InputError("there is nothing to compare")
    first = results[0]
    for other in results[1:]:
        pair = f"{first.where} and {other.where}"
        if other.problem != first.problem:
            raise InputError(f"{pair} are of different problems ({first.problem} and {other.problem}): compare takes "
                             f"results of one problem")
        if other.source != first.source and not (first.settings and other.settings):
            raise InputError(f"{pair} are of different data ({_difference(first, other)}): neither their scores nor "
                             f"their evidence can be ranked; make them of the same data, with the same options")


def _difference(a: Saved, b: Saved) -> str:
    """The first set that differs, with its size and fingerprint on both sides."""
    name = next(n for n in {**a.data, **b.data} if a.data.get(n) != b.data.get(n))

    def said(saved: Saved) -> str:
        entry = saved.sets.get(name)
        if entry is None:
            return "none"
        sizes = [f"{cell(value)} {what}" for what, value in entry.items() if what != "fingerprint"]
        return ", ".join([*sizes[:1], str(entry.get("fingerprint"))])

    return f"the {name}{' set' * (name in PREDICTED)}: {said(a)}; and {said(b)}"


def same_model(results: Sequence[Saved]) -> None:
    """Evidence is ranked among results of one model and data only."""
    other = next((s for s in results if s.law != results[0].law), None)
    if other:
        a, b = results[0].model, other.model
        what = ", ".join(f"{n} {a.get(n)} and {b.get(n)}" for n in {**a, **b} if a.get(n) != b.get(n)) or "other data"
        raise InputError(f"the evidence of {results[0].where} and {other.where} cannot be ranked, as they are of "
                         f"different models ({what}): rank them by test_nll")
