"""What helps most when a kernel is wrong, implied parameters and nearest mistakes; and the figure's numbers."""

from __future__ import annotations

import torch

from checks.contract.faults import blind
from checks.kernels.nearest import nearest
from checks.kernels.trial import Trial
from checks.verdict import Outcome, Verdict


def add(verdict: Verdict, trials: list[Trial]) -> None:
    """Fill in the verdict's hints and scores."""
    for trial in trials:
        if not trial.n:
            continue
        compared = trial.upto(trial.n)
        assert trial.scale is not None
        verdict.scores[trial.problem.name] = [
            {"quantity": name[0], "where": name[1], "place": _number(compared.z[0, f]),
             "spread": _number(compared.z[1, f]), "sd": _number(compared.d[0, f])}
            for f, name in enumerate(trial.scale.names)]
        if verdict.outcome is Outcome.WRONG and verdict.findings:
            verdict.nearest = nearest(trial, compared)
            finite = all(bool(torch.isfinite(x).all()) for x in trial.after.values())
            problem, data = trial.problem, trial.data
            verdict.implied = problem.implied(problem.model, trial.after, data) if finite else []
            verdict.faults += blind(trial.kernel, problem, trial.before, data)


def _number(z: torch.Tensor) -> float | None:
    return round(float(z), 3) if bool(torch.isfinite(z)) else None
