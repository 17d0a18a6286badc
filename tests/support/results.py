"""Results made by hand, of any family, for tests of what is said and drawn of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from inference.result import Result

Given = Mapping[str, Any] | None


def made(name: str, family: str = "variational", by: str = "hand", *, expected: Given = None, trace: Given = None,
         draws: Given = None, seconds: Any = None, **more: Any) -> Result:
    """A trace is (chain, step); every step of it takes a second, unless `seconds` says otherwise."""
    told = _arrays(trace)
    shape = next((x.shape for x in told.values()), (1, 1))
    fields: dict[str, Any] = {"log_evidence": None, "log_evidence_kind": None, "converged": None, "seed": 0,
                              "options": {}, "facts": {}}
    return Result(name, family, by, draws=_arrays(draws), expected=_arrays(expected), trace=told,
                  seconds=np.ones(shape) if seconds is None else np.asarray(seconds, dtype=float), **fields | more)


def _arrays(given: Given) -> dict[str, np.ndarray]:
    return {name: np.asarray(value, dtype=float) for name, value in (given or {}).items()}
