"""Figures as they would be saved."""

import importlib
from collections.abc import Iterator

import matplotlib.pyplot as plt
import pytest

VIEWS = ("chains", "check", "compare", "curves", "factorization", "grid", "pictures", "program", "sampling")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[plt.Figure]]:
    found: list[plt.Figure] = []
    for view in VIEWS:
        module = importlib.import_module(f"views.{view}")
        monkeypatch.setattr(module, "save", lambda figure, path: found.append(figure))
    yield found
    for figure in found:
        plt.close(figure)
