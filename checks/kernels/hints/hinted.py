"""All hints that a wrong kernel's moves give."""

from __future__ import annotations

from checks.kernels.hints import acceptance, left_alone, rows, second_step
from checks.kernels.kernel import Broken
from checks.kernels.trial import Trial
from errors import InputError


def hints(trials: list[Trial], found: Trial, allowed: float) -> list[str]:
    """Sentences; `found` is the trial that rejects, and others have as many replicates by now."""
    try:
        return (acceptance.off(found) + left_alone.by_state(found) + rows.only(trials)
                + second_step.only(found, allowed))
    except (Broken, InputError):  # a kernel that fails in them has its verdict all the same
        return []
