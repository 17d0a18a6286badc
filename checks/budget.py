"""Processor seconds that a verdict may take, looked at wherever work is done for it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from inference.interrupt import PATIENCE, ended

TELL = 0.5  # seconds between two words of progress
BATCHED = "BATCHED = True in its file, for a kernel that moves all replicates at once, makes it a hundred times faster"


class Spent(Exception):
    """The budget is spent; no fault of what is judged."""


@dataclass
class Budget:
    """Seconds of this process, on all its threads; `watch` is told what goes on, now and then."""

    seconds: float
    watch: Callable[[str], None] | None = None
    started: float = field(default_factory=lambda: time.process_time())
    doing: str = ""
    told: float = 0.0
    kept: float = 0.0  # seconds of it that are for what comes after

    @property
    def until(self) -> float:
        """Seconds up to which work may go on now."""
        return self.seconds - self.kept

    @property
    def spent(self) -> float:
        return time.process_time() - self.started

    def spend(self, seconds: float) -> None:
        """So many are spent by now, some of them perhaps in an earlier process."""
        self.started = time.process_time() - seconds

    def tick(self) -> None:
        """Errors: Spent."""
        spent = self.spent
        if self.watch and spent - self.told > TELL:
            self.told = spent
            self.watch(f"{self.doing} ({spent:.0f} of {self.seconds:g} s)")
        if spent > self.until:
            raise Spent


_NOW: ContextVar[Budget | None] = ContextVar("budget", default=None)


def current() -> Budget:
    """The one that work is done within; of what is done without, one that knows no end."""
    return _NOW.get() or Budget(math.inf)


@contextmanager
def limited(budget: Budget) -> Iterator[Budget]:
    """Every `tick` below looks at this budget."""
    token = _NOW.set(budget)
    try:
        yield budget
    finally:
        _NOW.reset(token)


@contextmanager
def overseen() -> Iterator[None]:
    """One call of what is judged, which an option may have made endless: it may go on a little beyond the budget, and
    no more. Errors: Spent."""
    with ended(max(current().until - current().spent, 0.0) + PATIENCE, Spent):
        yield


def tick(doing: str = "") -> None:
    """To be called where work is done; `doing` says which from now on. Errors: Spent where there is a budget, and no
    more of it."""
    budget = _NOW.get()
    if budget:
        budget.doing = doing or budget.doing
        budget.tick()
