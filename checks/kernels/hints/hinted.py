"""All hints that a wrong kernel's moves give."""

from __future__ import annotations

from contextlib import suppress

from checks.kernels.hints import acceptance, left_alone, rows, second_step
from checks.kernels.kernel import Broken
from checks.kernels.trial import Trial
from errors import InputError


def hints(trials: list[Trial], found: Trial, allowed: float) -> list[str]:
    """Sentences; `found` is the trial that rejects, and others have as many replicates by now."""
    said: list[str] = []
    for hint in (lambda: acceptance.off(found), lambda: left_alone.by_state(found), lambda: rows.only(trials),
                 lambda: second_step.only(found, allowed)):
        with suppress(Broken, InputError):  # a kernel that fails in one has its verdict, and the others, all the same
            said += hint()
    return said
