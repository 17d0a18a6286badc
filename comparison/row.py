"""A result in a comparison: what it says by itself, how it agrees with the reference, and where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from comparison import measures
from comparison.measures import Estimate
from comparison.saved import Saved
from inference.diagnostics import least_ess, worst_rhat
from inference.result import Result


@dataclass(frozen=True)
class Scores:
    """What a result says by itself; NLLs in nats per rating, evidence in nats."""

    train_nll: float | None
    validation_nll: float | None
    test_nll: float | None
    test_rmse: float | None
    evidence: float | None
    evidence_kind: str | None
    rhat: float | None  # the worst of what is comparable, of chains
    ess: float | None  # the least
    ess_per_second: float | None

    @classmethod
    def of(cls, saved: Saved) -> Scores:
        r, elbo = saved.result, saved.result.final("elbo")
        chains = saved.draws if r.family == "mcmc" else None
        ess = None if chains is None else least_ess(chains)
        train, validation, test, rmse = (
            float(r.expected[name]) if name in r.expected else None
            for name in ("train_nll", "validation_nll", "test_nll", "test_rmse"))
        return cls(train, validation, test, rmse,
                   evidence=r.log_evidence if elbo is None else elbo,
                   evidence_kind=r.log_evidence_kind or (None if elbo is None else "lower bound"),
                   rhat=None if chains is None else worst_rhat(chains), ess=ess,
                   ess_per_second=None if ess is None else ess / float(r.seconds.sum()))


@dataclass(frozen=True)
class Agreement:
    """With the reference of its posterior, see `measures.distance`; errors are against an exact reference only."""

    reference: str | None = None  # its label
    exact: bool | None = None  # whether that is an exact result
    z: float | None = None
    worst: float | None = None
    sds: float | None = None
    max_error: float | None = None  # of a marginal
    mean_error: float | None = None
    evidence_error: float | None = None  # nats


@dataclass(frozen=True)
class Standing:
    """Its place among the results of the same data; quality is what the time is taken to."""

    quality: float | None = None
    seconds_to_quality: float | None = None
    ranked_by: str = ""
    place: int | None = None
    gap: float | None = None  # test NLL above the best
    gap_error: float | None = None  # its standard error over the test ratings


@dataclass(frozen=True)
class Row:
    """A saved result with what is measured of it."""

    saved: Saved
    estimate: Estimate | None
    scores: Scores
    agreement: Agreement = Agreement()
    standing: Standing = Standing()

    @classmethod
    def of(cls, saved: Saved) -> Row:
        return cls(saved, measures.estimate(saved.result, saved.draws), Scores.of(saved))

    @property
    def result(self) -> Result:
        return self.saved.result

    @property
    def label(self) -> str:
        return self.saved.label

    @property
    def series(self) -> str:
        return self.saved.series

    @property
    def settings(self) -> Mapping[str, str]:
        return self.saved.settings

    @property
    def seconds(self) -> float:
        """All of them, of all chains."""
        return float(self.result.seconds.sum())

    @property
    def num_train(self) -> int | None:
        return self.saved.sets.get("train", {}).get("ratings")

    @property
    def num_test(self) -> int | None:
        return self.saved.sets.get("test", {}).get("ratings")

    def to_json(self) -> dict[str, Any]:
        """Its entry in `comparison.json`."""
        saved, r = self.saved, self.result
        return {
            "label": saved.label, "series": saved.series, "name": r.name, "by": r.by, "family": r.family,
            "path": None if saved.path is None else str(saved.path), "settings": dict(saved.settings),
            "problem": saved.problem, "model": saved.model, "data": saved.sets, "rank": saved.model.get("rank"),
            "seed": r.seed, "chains": len(r.seconds), "steps": r.steps,
            "samples": saved.samples, "seconds": self.seconds, "converged": r.converged,
            "num_train": self.num_train, "num_test": self.num_test,
            **asdict(self.scores), **asdict(self.agreement), **asdict(self.standing),
        }
