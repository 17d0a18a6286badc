"""What a pass excludes, measured with the kernel itself: it is run on a model that is a little off.

The data still come from the right model. Where the kernel is a function of the user's own, which knows no model, the
problem's control is run in its place. From the largest z of that run the size that would be found
nine times in ten follows, as z grows with the change and with the square root of the replicates.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy import stats
from torch import Generator

from checks.kernels.kernel import Broken, Kernel
from checks.kernels.trial import Trial
from errors import InputError
from models.model import Model

REPLICATES = 500
CHANGES = (1.25, 1.5)  # factors; the second if the first is not seen
SEEN = 6.0  # a z large enough to scale from


def excluded(rng: Generator, kernel: Kernel, trials: list[Trial], allowed: float) -> dict[str, float]:
    """For each parameter, the relative change that would be found nine times in ten; infinite if even 50% was not
    seen in so few replicates."""
    found: dict[str, float] = {}
    for trial in trials:
        assert trial.scale is not None
        tests = 2 * len(trial.scale.names)
        needed = stats.norm.isf(allowed / tests / 2) + stats.norm.isf(0.1)
        for what, changed in trial.problem.changed.items():
            size = _size(rng, kernel, trial, changed, needed)
            if size is not None:
                found[what] = min(found.get(what, math.inf), size)
    return found


def _size(rng: Generator, kernel: Kernel, trial: Trial, changed: Callable[[float], Model], needed: float
          ) -> float | None:
    """Infinite if not even the larger change is seen; None where the kernel does not take a model changed so."""
    for factor in CHANGES:
        other = Trial(rng, trial.problem.control or kernel, trial.problem, changed(factor))
        other.scale = trial.scale
        try:
            z = float(other.upto(min(REPLICATES, trial.n)).z.abs().nan_to_num(0).max())
        except (InputError, Broken):
            return None
        if z > SEEN:
            return (factor - 1) * needed / z * math.sqrt(other.n / trial.n)
    size = (CHANGES[-1] - 1) * needed / max(z, 1e-3) * math.sqrt(other.n / trial.n)
    return size if z > 4.5 and size < 0.5 else math.inf
