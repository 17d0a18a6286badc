"""Ctrl-C, SIGTERM and SIGHUP as a request: the step in hand is finished first, and what was reached is saved.

A step that does not end is ended where it is, some time after the request, and work that has a budget when this is
spent. Python hears a signal between two of its own lines, so a compiled kernel is called for a piece of work that takes
no longer than a pass over the data, however much an option asks for.
"""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
ALARM, SPENT = ("SIGALRM", "ITIMER_REAL"), ("SIGPROF", "ITIMER_PROF")  # a signal, and the clock that sends it
PATIENCE = 1.0  # seconds, in which a step may end that nobody knows the length of


class Stopped(KeyboardInterrupt):
    """A signal that ends the program at once; `signum` says which."""

    def __init__(self, signum: int) -> None:
        super().__init__()
        self.signum = signum


class Asked:
    """Whether the user has asked to stop, and by which signal."""

    signum = 0
    grace = math.inf  # seconds, from the signal on

    @property
    def asked(self) -> bool:
        return self.signum != 0

    @contextmanager
    def within(self, grace: float) -> Iterator[None]:
        """What goes on so many seconds after the signal is ended by Stopped."""
        self.grace = grace
        try:
            yield
        finally:
            self.grace = math.inf
            if self.asked:
                _after(0, ALARM)


@contextmanager
def stopping() -> Iterator[None]:
    """SIGTERM and SIGHUP end what is within as Ctrl-C does, wherever it is."""
    def stop(signum: int, frame: FrameType | None) -> None:
        raise Stopped(signum)

    with heard(stop, SIGNALS[1:]):
        yield


@contextmanager
def finish_step_first() -> Iterator[Asked]:
    """The first signal sets `asked`; a second one raises Stopped, a KeyboardInterrupt, at once, and so does the end of
    the grace that it is given."""
    request = Asked()

    def ask(signum: int, frame: FrameType | None) -> None:
        if request.asked:
            raise Stopped(signum)
        request.signum = signum
        if request.grace < math.inf:
            _after(request.grace, ALARM)

    def end(signum: int, frame: FrameType | None) -> None:
        raise Stopped(request.signum)

    with heard(ask, SIGNALS), heard(end, _signals(ALARM)):
        yield request


@contextmanager
def ended(seconds: float, error: type[BaseException]) -> Iterator[None]:
    """What takes more processor seconds of this process is ended by this error, again every second until it heeds it;
    in the main thread only, where signals arrive."""
    def end(signum: int, frame: FrameType | None) -> None:
        raise error

    if math.isinf(seconds) or threading.current_thread() is not threading.main_thread():
        yield
        return
    with heard(end, _signals(SPENT)):
        _after(seconds, SPENT)
        try:
            yield
        finally:
            _after(0, SPENT)


def _signals(timer: tuple[str, str]) -> tuple[signal.Signals, ...]:
    """None on a system without timers."""
    return (getattr(signal, timer[0]),) if hasattr(signal, timer[1]) else ()


def _after(seconds: float, timer: tuple[str, str]) -> None:
    """The timer's signal comes after so many seconds, and then again and again; with 0 it never does."""
    if _signals(timer):
        signal.setitimer(getattr(signal, timer[1]), seconds, PATIENCE if seconds else 0.0)


@contextmanager
def heard(handler: Callable[[int, FrameType | None], None], signals: tuple[signal.Signals, ...]) -> Iterator[None]:
    """A handler for these signals, but for those that the program was started to ignore, as by nohup."""
    before: dict[signal.Signals, object] = {}
    try:
        try:
            for each in signals:
                if signal.getsignal(each) != signal.SIG_IGN:
                    before[each] = signal.signal(each, handler)
        except ValueError:  # not in the main thread, where signals do not arrive
            pass
        yield
    finally:
        for each, old in before.items():
            signal.signal(each, old)  # type: ignore[arg-type]
