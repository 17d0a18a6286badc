"""Ctrl-C, SIGTERM and SIGHUP as a request: the step in hand is finished first, and what was reached is saved."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Stopped(KeyboardInterrupt):
    """A signal that ends the program at once; `signum` says which."""

    def __init__(self, signum: int) -> None:
        super().__init__()
        self.signum = signum


class Asked:
    """Whether the user has asked to stop, and by which signal."""

    signum = 0

    @property
    def asked(self) -> bool:
        return self.signum != 0


@contextmanager
def stopping() -> Iterator[None]:
    """SIGTERM and SIGHUP end what is within as Ctrl-C does, wherever it is."""
    def stop(signum: int, frame: FrameType | None) -> None:
        raise Stopped(signum)

    with heard(stop, SIGNALS[1:]):
        yield


@contextmanager
def finish_step_first() -> Iterator[Asked]:
    """The first signal sets `asked`; a second one raises Stopped, a KeyboardInterrupt, at once."""
    request = Asked()

    def ask(signum: int, frame: FrameType | None) -> None:
        if request.asked:
            raise Stopped(signum)
        request.signum = signum

    with heard(ask, SIGNALS):
        yield request


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
