"""What two results are compared on: effective samples, agreement in standard errors, time to a given quality.

Agreement at the kept predictions (or pixels) n, of a method with means m_n and the reference with m*_n:

    z_n = (m_n - m*_n) / sqrt(v_n / ESS_n + v_n / ESS*_n)

v_n is the reference's posterior variance, ESS the effective samples behind each mean, by ArviZ; infinite for means
in closed form. Where both are right the root mean square of z is near 1, whatever the units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from inference.diagnostics import DRAWS, KEPT, ess, spaced
from inference.result import Result

LEAST = 5  # effective counts of a label, either way, for a normal approximation
SHARE = 0.01  # of the best NLL: the quality that time is taken to, unless another is asked for
STANDARD_ERROR = 0.01  # of a marginal: the same on grids
DISAGREES = 3.0  # a root mean square z that chance does not explain, where it should be near 1


@dataclass(frozen=True)
class Estimate:
    """Posterior means of what is comparable, with what they rest on."""

    mean: np.ndarray  # (n,)
    variance: np.ndarray | None  # (n,), posterior; None where it is not known
    ess: np.ndarray | float  # (n,) or infinite
    sampled: bool = False  # by chains
    counts: bool = False  # the means are of indicators


@dataclass(frozen=True)
class Distance:
    """Of means from a reference's; None where it is not known."""

    z: float | None = None  # root mean square, in Monte Carlo standard errors
    worst: float | None = None  # the largest
    sds: float | None = None  # root mean square, in posterior standard deviations


def quantities(result: Result) -> np.ndarray | None:
    """Draws of what is comparable, (chain, draw, n): of chains predictions or label indicators, else the sites whose
    means are among the result's expectations; None where none are kept."""
    draws, expected = result.draws, result.expected
    if "prediction" in draws:
        found = draws["prediction"] if result.family == "mcmc" else None
    elif marginals(result) is not None:
        found = _indicators(result) if result.family == "mcmc" and "labels" in draws else None
    else:
        alike = [n for n, v in draws.items() if n in expected and v.shape[2:] == expected[n].shape]
        columns = [draws[n].reshape(*draws[n].shape[:2], expected[n].size) for n in sorted(alike)]
        found = spaced(np.concatenate(columns, -1)) if columns else None
    return found if found is not None and found.shape[1] >= DRAWS else None


def marginals(result: Result) -> np.ndarray | None:
    """Probabilities (..., label) of every label at every place, where the result holds them; a point has none, and
    neither has one of no labels or places."""
    known = result.family != "point" and result.dims.get("expected/labels", ())[-1:] == ("label",)
    return found if known and (found := result.expected.get("labels")) is not None and found.size else None


def _indicators(result: Result) -> np.ndarray:
    drawn = result.draws["labels"]
    labels = spaced(drawn.reshape(*drawn.shape[:2], math.prod(drawn.shape[2:])))
    shown = np.arange(result.expected["labels"].shape[-1])[counted(result)]
    return (labels[..., None] == shown).reshape(*labels.shape[:2], labels.shape[2] * len(shown)).astype(float)


def counted(result: Result) -> slice:
    """The labels whose marginals are compared: all of them, or of two the second, as the first says the same."""
    return slice(1, None) if result.expected["labels"].shape[-1] == 2 else slice(None)


def estimate(result: Result, draws: np.ndarray | None) -> Estimate | None:
    """Means of what is comparable: from these draws of it, or in closed form; None where there are none."""
    expected = result.expected
    if draws is not None:
        count = draws.shape[0] * draws.shape[1]  # every draw, of q and of a column that never moves
        chains = result.family == "mcmc"
        effective = ess(draws, "mean", still=count) if chains else np.full(draws.shape[-1], float(count))
        return Estimate(draws.mean((0, 1)), draws.var((0, 1)), effective, chains, marginals(result) is not None)
    if (found := marginals(result)) is not None:
        p = np.moveaxis(spaced(found.reshape(-1, found.shape[-1]).T), 0, 1)[:, counted(result)].ravel()
        return Estimate(p, p * (1 - p), np.inf, counts=True)
    if "prediction" in expected:
        variance = expected.get("prediction_var")
        return Estimate(expected["prediction"][:KEPT], None if variance is None else variance[:KEPT], np.inf)
    if "test_mean" in expected:
        samples = result.facts.get("samples", 1) if result.family == "variational" else np.inf
        return Estimate(expected["test_mean"][:KEPT], expected["test_spread"][:KEPT] ** 2, samples)
    return None


def distance(one: Estimate, reference: Estimate) -> Distance:
    """How far the means are apart; of indicators only those are taken that an effective count of LEAST decides."""
    if reference.variance is None or one.mean.shape != reference.mean.shape:
        return Distance()
    v, difference = reference.variance, one.mean - reference.mean
    kept = v > 0
    if one.counts or reference.counts:
        kept &= v * np.minimum(one.ess, reference.ess) >= LEAST
    if not kept.any():
        return Distance()
    error = np.sqrt((v / one.ess + v / reference.ess)[kept])
    sds = float(np.sqrt((difference[kept] ** 2 / v[kept]).mean()))
    if not (error > 0).all():
        return Distance(sds=sds)
    z = np.abs(difference[kept]) / error
    return Distance(float(np.sqrt((z**2).mean())), float(z.max()), sds)


def seconds_to_nll(result: Result, quality: float) -> float | None:
    """Seconds of fitting, of one chain, until the test NLL is `quality` or less for good; None where it never is."""
    if "test_nll" not in result.trace:
        return None
    good = result.trace["test_nll"].mean(0) <= quality
    first = len(good) - int(np.argmin(good[::-1])) if not good.all() else 0
    return float(result.seconds.mean(0)[: first + 1].sum()) if first < len(good) else None


def seconds_to_error(result: Result, one: Estimate | None, error: float | None, quality: float) -> float | None:
    """Seconds until the marginals of a grid are known to within `quality`.

    Of chains: until their worst standard error is `quality`, which falls as one over the root of the time. Of the
    others: all their seconds if their largest error is at most `quality`, else None.
    """
    seconds = float(result.seconds.sum())
    if one is not None and one.sampled and one.variance is not None and one.variance.any():
        return seconds * float((one.variance / one.ess).max()) / quality**2
    return seconds if error is not None and error <= quality else None


def paired(best: Result, other: Result) -> tuple[float, float] | None:
    """Difference of the test NLLs, and its standard error over the test ratings, as both predict the same ones."""
    if "test_log_density" not in best.expected or "test_log_density" not in other.expected:
        return None
    gap = best.expected["test_log_density"] - other.expected["test_log_density"]
    return float(gap.mean()), float(gap.std(ddof=1) / np.sqrt(len(gap))) if len(gap) > 1 else np.inf
