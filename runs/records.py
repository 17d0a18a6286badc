"""The lines of `summary.json`: a checkpoint, and what is said of a method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from inference.result import Result


@dataclass(frozen=True)
class Checkpoint:
    """One line of the checkpoint table: our number against the reference's, or against a bound."""

    id: str
    what: str
    ours: float
    reference: float
    error: float
    passed: bool

    @classmethod
    def close(cls, id: str, what: str, ours: float, reference: float, error: float, bound: float) -> Checkpoint:
        """Passes when `error` is at most `bound`; a nan fails."""
        return cls(id, what, ours, reference, error, bool(error <= bound))


@dataclass(frozen=True)
class Entry:
    """A method's line; a problem adds its own figures by deriving from it."""

    name: str
    family: str
    by: str
    log_evidence: float | None  # nats
    log_evidence_kind: str | None
    residual: float | None
    converged: bool | None
    steps: int
    seconds: float

    @classmethod
    def of(cls, result: Result, **more: Any) -> Self:
        """From the result, and `more` for the fields that a problem adds."""
        return cls(name=result.name, family=result.family, by=result.by, log_evidence=result.log_evidence,
                   log_evidence_kind=result.log_evidence_kind, residual=result.final("residual"),
                   converged=result.converged, steps=result.steps, seconds=float(result.seconds.sum()), **more)
