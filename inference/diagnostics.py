"""R-hat and effective sample size, by ArviZ, of what is comparable across chains."""

from __future__ import annotations

import warnings

import numpy as np

from inference.result import Result, import_arviz

PIXELS = 256  # diagnosed at most, evenly spaced


def rhat_and_ess(draws: np.ndarray) -> tuple[float | None, float | None]:
    """The worst rank-normalised split R-hat and the least bulk ESS of scalar draws (chain, draw, n).

    Columns that never change say nothing and are left out; None where nothing is left.
    """
    moving = draws[..., (draws != draws[:1, :1]).any((0, 1))]
    if not moving.shape[-1] or moving.shape[1] < 4:
        return None, None
    az = import_arviz()
    data = az.convert_to_dataset({"x": moving})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column constant in one chain: R-hat is infinite
        ess = float(az.ess(data)["x"].min())
        rhat = float(az.rhat(data)["x"].max()) if moving.shape[0] > 1 else None
    return rhat, ess


def chains_of_labels(result: Result) -> dict[str, float | None]:
    """`rhat` and `ess` over the label indicators of an MCMC result; None for every other family."""
    if result.family != "mcmc" or "labels" not in result.draws:
        return {"rhat": None, "ess": None}
    labels = result.draws["labels"].reshape(*result.draws["labels"].shape[:2], -1)
    labels = labels[..., :: -(-labels.shape[-1] // PIXELS)]
    indicators = np.concatenate([labels == k for k in range(int(labels.max()) + 1)], -1).astype(float)
    rhat, ess = rhat_and_ess(indicators)
    return {"rhat": rhat, "ess": ess}
