"""R-hat and effective sample size, by ArviZ, of what is comparable across chains; and what else results share.

Of M chains of N draws, rank-normalised and split in halves, with W the mean variance within a chain and B / N the
variance of the chains' means (Vehtari, Gelman, Simpson, Carpenter and Buerkner 2021),

    R-hat = sqrt(((N - 1) / N W + B / N) / W),      the larger of it and of the same of the folded |x - median|
    ESS   = M N / (1 + 2 sum_t rho_t),              rho_t the autocorrelation at lag t, as far as Geyer's rule goes

"bulk" ESS is of the ranks, "tail" the smaller of the 5% and the 95% quantile's, "mean" of the draws as they are. A
column that never moves has neither: nan, unless the caller says what it counts for.
"""

from __future__ import annotations

import warnings
from typing import Literal

import numpy as np

from inference.result import Result, import_arviz

KEPT = 256  # predictions or pixels that chains are diagnosed, and methods compared, on: at most
JUDGES = ("strip", "brute_force", "variable_elimination_pgmpy", "junction_tree_pgmpy")  # exact; the first there is
MIXED = 1.05  # R-hat of chains that can be relied on, at most
DRAWS = 4  # a chain, at least, for ArviZ to say anything
Ess = Literal["bulk", "tail", "mean"]


def rhat(draws: np.ndarray) -> np.ndarray:
    """Rank-normalised split R-hat (n,) of every column of (chain, draw, n); nan for one chain.

    >>> rhat(np.random.default_rng(0).normal(size=(4, 500, 2))).round(2)
    array([1., 1.])
    """
    return _by_arviz("rhat", draws, np.nan) if len(draws) > 1 else np.full(draws.shape[-1], np.nan)


def ess(draws: np.ndarray, method: Ess = "bulk", still: float = np.nan) -> np.ndarray:
    """Effective sample size (n,) of every column of (chain, draw, n); `still` where a column never moves.

    >>> ess(np.ones((2, 9, 1))), ess(np.ones((2, 9, 1)), still=18)
    (array([nan]), array([18.]))
    """
    return _by_arviz("ess", draws, still, method=method)


def worst_rhat(draws: np.ndarray) -> float | None:
    """R-hat of the column of (chain, draw, n) that has mixed least; None where none has one."""
    found = rhat(draws)
    return None if np.isnan(found).all() else float(np.nanmax(found))


def least_ess(draws: np.ndarray, method: Ess = "bulk", still: float = np.nan) -> float | None:
    """ESS of the column of (chain, draw, n) that has the least; None where none has one."""
    found = ess(draws, method, still)
    return None if np.isnan(found).all() else float(np.nanmin(found))


def _by_arviz(diagnostic: str, draws: np.ndarray, still: float, **options: str) -> np.ndarray:
    moving = (draws != draws[:1, :1]).any((0, 1))
    found = np.full(draws.shape[-1], float(still))
    found[moving] = np.nan
    if moving.any() and draws.shape[1] >= DRAWS:
        az = import_arviz()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of short chains, and of columns constant in one; the numbers say it
            values = az.convert_to_dataset({"x": draws[..., moving]})
            found[moving] = getattr(az, diagnostic)(values, **options)["x"].values
    return found


def spaced(values: np.ndarray) -> np.ndarray:
    """At most KEPT entries of the last axis, evenly spaced.

    >>> spaced(np.arange(600)).shape, spaced(np.arange(9)).shape
    ((200,), (9,))
    """
    return values[..., :: max(-(-values.shape[-1] // KEPT), 1)]


def chains_of_labels(result: Result) -> dict[str, float | None]:
    """`rhat`, the worst, and `ess`, the least, of the label indicators of chains; None for every other family."""
    if result.family != "mcmc" or "labels" not in result.draws:
        return {"rhat": None, "ess": None}
    labels = spaced(result.draws["labels"].reshape(*result.draws["labels"].shape[:2], -1))
    indicators = np.concatenate([labels == k for k in range(int(labels.max()) + 1)], -1).astype(float)
    return {"rhat": worst_rhat(indicators), "ess": least_ess(indicators)}
