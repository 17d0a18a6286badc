"""What Problem 2 has run, as its report, its checkpoints and its sentences read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from data.ratings import Split
from experiments.problem2.request import Request
from inference.result import Result


@dataclass(frozen=True)
class Study:
    """Every fit at --rank, and one of them at each of several ranks."""

    request: Request
    parts: Split
    results: Sequence[Result]
    ranked: Mapping[int, Result]

    @property
    def num_ratings(self) -> int:
        """Those trained on."""
        return self.parts.train.total

    @property
    def best(self) -> Result:
        """The fit that predicts the validation set best; the test set where there is none."""
        known = "validation_nll" if len(self.parts.validation) else "test_nll"
        return min(self.results, key=lambda r: float(r.expected.get(known, np.inf)))
