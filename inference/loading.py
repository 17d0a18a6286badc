"""Loading, which is no work of inference: compiling a kernel or reading one from the disk, importing a library.

It happens once a process, in whatever step comes first, and can take a thousand times as long as the step. So every
method is tried on the model's small instance before the clock starts, and what numba still loads later (a kernel for
tables that differ by site, one of the user's own) is taken off the step that waited for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from numba.core import event

from inference.generators import handed_back
from inference.interrupt import stopping
from inference.job import generator
from inference.method import Method
from models.model import Model

LOCK = "numba:compiler_lock"  # held while numba compiles or loads; no kernel that is there takes it
_tried: set[tuple[object, ...]] = set()


class Loading(event.Listener):
    """Seconds in which the thread that made it was compiling and loading, or waited for another that was."""

    def __init__(self) -> None:
        self.seconds, self._depth, self._since = 0.0, 0, 0.0
        self._thread = threading.get_ident()

    def on_start(self, event: event.Event) -> None:
        if threading.get_ident() == self._thread:
            self._since = self._since if self._depth else time.perf_counter()
            self._depth += 1

    def on_end(self, event: event.Event) -> None:
        if threading.get_ident() == self._thread:
            self._depth -= 1
            self.seconds += 0.0 if self._depth else time.perf_counter() - self._since


@contextmanager
def watched() -> Iterator[Loading]:
    """What numba loads meanwhile."""
    loading = Loading()
    with event.install_listener(LOCK, loading):
        yield loading


def rehearse(method: Method, model: Model, options: Mapping[str, Any]) -> float:
    """One step on the model's small instance, once a process, with the options that are words; the seconds it took.

    Numbers say how much and may not fit the small instance. What goes wrong here is not said: it may be for want of
    size, and otherwise the run itself says it.
    """
    words = {name: value for name, value in options.items() if isinstance(value, str | bool)}
    started, rng = time.perf_counter(), generator(0, "rehearsal")
    with suppress(Exception), stopping():  # Ctrl-C is none of these, whatever a compiler makes of it
        small, data = model.small(rng)
        if small is model:  # as large as the run itself
            return time.perf_counter() - started
        tried = (method.module, method.name, type(small), *small.labels.values(), repr(sorted(words.items())))
        if tried not in _tried:
            _tried.add(tried)
            with handed_back():
                method.step(rng, method.init(rng, small, data, **words), small, data)
    return time.perf_counter() - started
