"""What two results are compared on: effective samples, agreement in standard errors, time to a given quality.

Agreement at the kept predictions (or pixels) n, of a method with means m_n and the reference with m*_n:

    z_n = (m_n - m*_n) / sqrt(v_n / ESS_n + v_n / ESS*_n)

v_n is the reference's posterior variance, ESS the effective samples behind each mean, by ArviZ; infinite for means
in closed form. Where both are right the root mean square of z is near 1, whatever the units.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from inference.diagnostics import PIXELS
from inference.result import Result, import_arviz

PAIRS = 256  # predictions kept of every draw, at most (runs/fits.py)
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
    sampled: bool = False


def quantities(result: Result) -> np.ndarray | None:
    """Draws of what is comparable, (chain, draw, n): predictions, or label indicators; None where none are kept."""
    if result.family != "mcmc":
        return None
    if "prediction" in result.draws and result.draws["prediction"].shape[1] >= 4:
        return result.draws["prediction"]
    if "labels" not in result.draws or result.draws["labels"].shape[1] < 4 or "labels" not in result.expected:
        return None
    labels = pixels(result.draws["labels"].reshape(*result.draws["labels"].shape[:2], -1))
    shown = np.arange(result.expected["labels"].shape[-1])[counted(result)]
    return (labels[..., None] == shown).reshape(*labels.shape[:2], -1).astype(float)


def counted(result: Result) -> slice:
    """The labels whose marginals are compared: all of them, or of two the second, as the first says the same."""
    return slice(1, None) if result.expected["labels"].shape[-1] == 2 else slice(None)


def pixels(values: np.ndarray) -> np.ndarray:
    """Evenly spaced pixels of a grid whose pixels are the last axis."""
    return values[..., :: -(-values.shape[-1] // PIXELS)]


def effective(draws: np.ndarray, method: str) -> np.ndarray:
    """ESS by ArviZ of each column of (chain, draw, n); nan where a column never moves."""
    moving = (draws != draws[:1, :1]).any((0, 1))
    found = np.full(draws.shape[-1], np.nan)
    if moving.any():
        az = import_arviz()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of short chains; the numbers say it
            found[moving] = az.ess(az.convert_to_dataset({"x": draws[..., moving]}), method=method)["x"].values
    return found


def worst_rhat(draws: np.ndarray) -> float | None:
    """Rank-normalised split R-hat by ArviZ of the column that has mixed least; None for one chain."""
    moving = draws[..., (draws != draws[:1, :1]).any((0, 1))]
    if draws.shape[0] < 2 or not moving.shape[-1]:
        return None
    az = import_arviz()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(az.rhat(az.convert_to_dataset({"x": moving}))["x"].max())


def estimate(result: Result, draws: np.ndarray | None) -> Estimate | None:
    """Means of the kept predictions, or of the marginals of evenly spaced pixels; None where there are none."""
    if draws is not None:
        count = draws.shape[0] * draws.shape[1]
        ess = effective(draws, "mean")  # a column that never moves is taken at its word: every draw counts
        return Estimate(draws.mean((0, 1)), draws.var((0, 1)), np.where(np.isnan(ess), count, ess), True)
    if "labels" in result.expected:
        K = result.expected["labels"].shape[-1]
        p = np.moveaxis(pixels(result.expected["labels"].reshape(-1, K).T), 0, 1)[:, counted(result)].ravel()
        return Estimate(p, p * (1 - p), np.inf)
    if "prediction" in result.expected:
        variance = result.expected.get("prediction_var")
        return Estimate(result.expected["prediction"][:PAIRS], None if variance is None else variance[:PAIRS], np.inf)
    if "test_mean" in result.expected:
        samples = result.facts.get("samples", 1) if result.family == "variational" else np.inf
        return Estimate(result.expected["test_mean"][:PAIRS], result.expected["test_spread"][:PAIRS] ** 2, samples)
    return None


def agreement(one: Estimate, reference: Estimate, counts: bool) -> dict[str, float | None]:
    """z: root mean square, worst: largest, in standard errors; sds: root mean square, in posterior sds.

    counts  the means are of indicators: only those that an effective count of LEAST decides are taken
    """
    nothing: dict[str, float | None] = {"z": None, "worst": None, "sds": None}
    if reference.variance is None or one.mean.shape != reference.mean.shape:
        return nothing
    v, difference = reference.variance, one.mean - reference.mean
    kept = v > 0
    if counts:
        kept &= v * np.minimum(one.ess, reference.ess) >= LEAST
    if not kept.any():
        return nothing
    error = np.sqrt((v / one.ess + v / reference.ess)[kept])
    found = nothing | {"sds": float(np.sqrt((difference[kept] ** 2 / v[kept]).mean()))}
    if (error > 0).all():
        z = np.abs(difference[kept]) / error
        found |= {"z": float(np.sqrt((z**2).mean())), "worst": float(z.max())}
    return found


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
