"""Standard output and error that are closed, full, or a pipe that nobody reads any more; and signals that stop."""

from __future__ import annotations

import os
import sys

from inference.interrupt import stopping

__all__ = ["opened", "stopping", "unheard"]

PIPE = 141  # the exit status of a program that a closed pipe ends: 128 and SIGPIPE's number


def opened() -> None:
    """Nobody hears what is said to a stream that is closed; it is no reason to fail."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))


def unheard() -> int:
    """After a pipe was closed: nothing more is said to it. The exit status."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    return PIPE
