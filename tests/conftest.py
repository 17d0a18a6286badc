"""Fixtures that several tests share; models and data that they share are in `tests/support/`."""

import io
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference.engine import one_thread as on_one_thread

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # a shell has what it starts in the background ignore Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """torch on one thread, where tensors are small and many: a second thread would only be waited for.

    For all tests of a file: `pytestmark = pytest.mark.usefixtures("one_thread")`.
    """
    with on_one_thread():
        yield


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made and their files are there, empty: drawing is most of the time of a small run."""
    def save(_: object, file: Path | io.StringIO, **__: object) -> None:
        file.write_text("<svg/>") if isinstance(file, Path) else file.write("<svg/>")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", save)


@pytest.fixture
def one_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels are compared with one reference a problem of ours, whichever test asks first."""
    from checks.kernels import trial
    from tests.support.references import learned

    monkeypatch.setattr(trial, "learn", lambda rng, problem, draws: learned(problem.name, draws))
