"""Fixtures that several tests share; models and data that they share are in `tests/support/`."""

from collections.abc import Iterator

import pytest

from inference.engine import one_thread as on_one_thread


@pytest.fixture
def one_thread() -> Iterator[None]:
    """torch on one thread, where tensors are small and many: a second thread would only be waited for.

    For all tests of a file: `pytestmark = pytest.mark.usefixtures("one_thread")`.
    """
    with on_one_thread():
        yield
