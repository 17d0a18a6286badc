"""`--resume DIR`: the words of a run that was stopped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from errors import InputError
from runs import folder


def arguments(out: Path, others: Sequence[str]) -> list[str]:
    """Those that the run in `out` was started with. Errors: InputError for a folder without one, and for other words,
    which would be taken for a change that a resumed run cannot have."""
    if others:
        raise InputError(f"--resume {out} goes on with the run as it was started, so {others[0]} cannot be given "
                         f"beside it: leave it out, or start a run of its own")
    return folder.stored_arguments(out)
