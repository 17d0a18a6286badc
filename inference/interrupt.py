"""Ctrl-C as a request: the step in hand is finished first."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Asked:
    """Whether the user has asked to stop."""

    asked = False


@contextmanager
def finish_step_first() -> Iterator[Asked]:
    """The first Ctrl-C sets `asked`; a second one raises KeyboardInterrupt at once."""
    request = Asked()

    def ask(signum: int, frame: FrameType | None) -> None:
        if request.asked:
            raise KeyboardInterrupt
        request.asked = True

    try:
        before = signal.signal(signal.SIGINT, ask)
    except ValueError:  # not in the main thread, where signals do not arrive
        yield request
        return
    try:
        yield request
    finally:
        signal.signal(signal.SIGINT, before)
