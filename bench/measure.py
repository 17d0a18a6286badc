"""Medians, memory bandwidth and the table that every benchmark prints."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from runs.folder import machine
from views import tables


def seconds(work: Callable[[], object], repeats: int = 5, clock: Callable[[], float] = time.perf_counter) -> float:
    """Median time of `work`, of the wall unless another clock is given, after one call that compiles and warms the
    caches."""
    work()
    times = []
    for _ in range(repeats):
        started = clock()
        work()
        times.append(clock() - started)
    return statistics.median(times)


def bandwidth(megabytes: int = 256) -> float:
    """Bytes a second that one thread of numpy moves in a copy (read + write), the yardstick beside the times."""
    source = np.ones(megabytes * 2**17)
    target = np.empty_like(source)
    return 2 * source.nbytes / seconds(lambda: np.copyto(target, source))


def show(title: str, columns: tuple[str, ...], rows: list[tuple]) -> None:
    tables.show(tables.console(), title, columns, rows)


def say_machine() -> None:
    about = machine()
    print(f"machine: {about['processor']}, {about['cores']} cores, {about['system']}, Python {about['python']}; "
          f"copy bandwidth {bandwidth() / 1e9:.1f} GB/s\n")
