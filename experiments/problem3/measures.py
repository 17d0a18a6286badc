"""What the chains of Problem 3 say about themselves, and how far other methods are from them."""

from __future__ import annotations

import numpy as np

from inference.diagnostics import least_ess, worst_rhat
from inference.result import Result


def log_joint(result: Result, num_ratings: int) -> np.ndarray:
    """log p(latents, r) of every kept draw, (chain, draw), nats: the prior's part and what the scorer saw of it."""
    likelihood = -num_ratings * result.trace["train_nll_last"][:, result.facts["warmup"] :: result.facts["thin"]]
    return result.draws["log_prior"] + likelihood[:, : result.draws["log_prior"].shape[1]]


def diagnose(result: Result, num_ratings: int) -> dict[str, float | None]:
    """R-hat and effective sample sizes of the predictions (the worst of them) and of the log joint.

    U and V are known only up to rotation, so theirs would mean nothing. None for what has no chains.
    """
    fields = ("rhat", "ess_bulk", "ess_tail", "ess_per_second", "rhat_log_joint", "ess_log_joint")
    if result.family != "mcmc" or "prediction" not in result.draws or result.draws["prediction"].shape[1] < 4:
        return dict.fromkeys(fields)
    x, joint = result.draws["prediction"], log_joint(result, num_ratings)[..., None]
    count = x.shape[0] * x.shape[1]  # what ArviZ counts for a prediction that never moves
    worst = least_ess(x, still=count)
    return dict(zip(fields, (
        worst_rhat(x), worst, least_ess(x, "tail", still=count),
        None if worst is None else worst / float(result.seconds.sum()),
        worst_rhat(joint), least_ess(joint, still=count),
    ), strict=True))


def apart(judge: Result, other: Result) -> dict[str, float]:
    """How far another method's predictive means are from the judge's, in the judge's posterior sds and rating units."""
    difference = np.abs(other.expected["test_mean"] - judge.expected["test_mean"])
    in_sd = difference / np.maximum(judge.expected["test_spread"], 1e-12)
    return {"median_sd": float(np.median(in_sd)), "p95_sd": float(np.quantile(in_sd, 0.95)),
            "rms": float(np.sqrt((difference**2).mean()))}
