"""Something that takes long says so: a spinner on a terminal, a line now and then where nobody watches."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

EVERY = 10.0  # seconds between two lines


class Pulse:
    """Lines to standard error, EVERY seconds at most; the first after that long."""

    def __init__(self, every: float = EVERY) -> None:
        self.every, self.began, self.doing = every, time.monotonic(), ""
        self.said = self.began

    def __call__(self, what: str) -> None:
        self.doing = what
        now = time.monotonic()
        if now - self.said >= self.every and not sys.stdout.isatty():
            self.said = now
            print(f"... {what}, after {now - self.began:.0f} s", file=sys.stderr, flush=True)

    @contextmanager
    def beating(self) -> Iterator[None]:
        """While the work within goes on, and nobody else says what is being done, the last word is said again."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(self.every / 2):
                if self.doing:
                    self(self.doing)

        watcher = threading.Thread(target=beat, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()


@contextmanager
def busy(console: Console, what: str, every: float = EVERY) -> Iterator[None]:
    """While the work within goes on."""
    pulse = Pulse(every)
    pulse.doing = what
    with pulse.beating(), console.status(escape(what)):
        yield
