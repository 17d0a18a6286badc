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
    error: float  # of the kind that `passes` names
    passed: bool
    passes: str  # what must hold, with the number that is held to it

    @classmethod
    def close(cls, id: str, what: str, ours: float, reference: float, error: float, bound: float,
              kind: str = "difference") -> Checkpoint:
        """Passes when `error`, a difference of that kind, is at most `bound`; a nan fails.

        >>> Checkpoint.close("1.1", "log Z", 2.0, 1.0, 1.0, 1e-8, "relative difference").passes
        'relative difference 1.0 <= 1e-08'
        """
        return cls(id, what, ours, reference, error, bool(error <= bound), f"{kind} {error:.2} <= {bound:.2g}")

    @classmethod
    def below(cls, id: str, what: str, ours: float, reference: float, limit: float) -> Checkpoint:
        """Passes when our number is at most the limit.

        >>> Checkpoint.below("2.5", "test NLL", 1.5, 1.6, 2.0).passes
        'ours <= 2'
        """
        return cls(id, what, ours, reference, max(0.0, ours - limit), bool(ours <= limit), f"ours <= {limit:.4g}")

    @classmethod
    def above(cls, id: str, what: str, ours: float, reference: float) -> Checkpoint:
        """Passes when our number is at least the reference."""
        return cls(id, what, ours, reference, max(0.0, reference - ours), bool(ours >= reference), "ours >= reference")


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
