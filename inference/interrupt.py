"""Ctrl-C, SIGTERM and SIGHUP as a request: the step in hand is finished first, and what was reached is saved.

A step that does not end is ended where it is, some time after the request, and work that has a budget when this is
spent. Python hears a signal between two of its own lines, so a compiled kernel is called for a piece of work that takes
no longer than a pass over the data, however much an option asks for. What ends a program at once is an exception, and
libraries that compile or import make another one of it, or say that they ignore it: `heeded` is for these.
"""

from __future__ import annotations

import math
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from errors import Interrupted

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
ALARM, SPENT = ("SIGALRM", "ITIMER_REAL"), ("SIGPROF", "ITIMER_PROF")  # a signal, and the clock that sends it
SOON = 0.05  # seconds
PATIENCE = 1.0  # seconds, in which a step may end that nobody knows the length of


class Stopped(KeyboardInterrupt):
    """A signal that ends the program at once; `signum` says which, the words what that cost, where it is known."""

    def __init__(self, signum: int, words: str = "") -> None:
        super().__init__(words)
        self.signum = signum


class Asked:
    """Whether the user has asked to stop, and by which signal."""

    signum = 0
    raised = False  # by Stopped, at once
    grace = math.inf  # seconds, from the signal on

    @property
    def asked(self) -> bool:
        return self.signum != 0

    def stop(self, signum: int, frame: FrameType | None) -> None:
        """A handler that ends the program at once."""
        self.signum, self.raised = self.signum or signum, True
        raise Stopped(signum)

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
    """A signal ends what is within by Stopped, wherever it comes."""
    request = Asked()
    with heard(request.stop, SIGNALS), heeded(request):
        yield


@contextmanager
def telling(cost: Callable[[], str]) -> Iterator[None]:
    """A Stopped that comes out says what it cost."""
    try:
        yield
    except Stopped as stopped:
        raise Stopped(stopped.signum, str(stopped) or cost()) from None


@contextmanager
def finish_step_first() -> Iterator[Asked]:
    """The first signal sets `asked`; a second one raises Stopped, a KeyboardInterrupt, at once, and so does the end of
    the grace that it is given."""
    request = Asked()

    def ask(signum: int, frame: FrameType | None) -> None:
        if request.asked:
            request.stop(signum, frame)
        request.signum = signum
        if request.grace < math.inf:
            _after(request.grace, ALARM)

    with heard(ask, SIGNALS), heeded(request):
        yield request


@contextmanager
def heeded(request: Asked) -> Iterator[None]:
    """A Stopped that was raised within comes out, though a library made another error of it on the way (an import, a
    compiler) or could only say that it is ignored (a callback of LLVM): then it is raised once more."""
    def again(signum: int, frame: FrameType | None) -> None:
        request.stop(request.signum or signal.SIGINT, frame)

    with heard(again, _signals(ALARM)), _not_ignored(request):
        try:
            yield
        except Exception as error:
            if request.raised and not isinstance(error, Interrupted):
                raise Stopped(request.signum) from error
            raise


@contextmanager
def _not_ignored(request: Asked) -> Iterator[None]:
    """A Stopped that Python can only remark upon is raised by the alarm instead."""
    said = sys.unraisablehook

    def ignored(unraisable: sys.UnraisableHookArgs) -> None:
        if issubclass(unraisable.exc_type, Stopped) and request.raised:
            _after(SOON, ALARM, 0.0)
        else:
            said(unraisable)

    if threading.current_thread() is not threading.main_thread():  # where no alarm is heard
        yield
        return
    sys.unraisablehook = ignored
    try:
        yield
    finally:
        sys.unraisablehook = said
        if request.raised:
            _after(0, ALARM)


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


def _after(seconds: float, timer: tuple[str, str], then: float | None = None) -> None:
    """The timer's signal comes after so many seconds, and then again and again; with 0 it never does."""
    if _signals(timer):
        signal.setitimer(getattr(signal, timer[1]), seconds, (PATIENCE if then is None else then) if seconds else 0.0)


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
