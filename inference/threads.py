"""Compiled kernels over many rows at once, on as many threads as torch may use (`torch.set_num_threads`).

A kernel releases the GIL and writes only to its own rows, so the bytes do not depend on the number of
threads. Plain threads: no compile time of their own, no spinning, and safe where several chains run at once.

torch's own operations do not promise that: where a sum is cut, and which numbers of a vector of exponentials are left
over for the scalar code, depends on the number of threads, and the last digit with it. `torch_on_one_thread` leaves
the threads to the kernels.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from itertools import pairwise

import numpy as np
import torch

SMALL = 20_000  # units of work, of about 5 ns, that are done before a thread has woken up
PIECES = 4  # for each thread, so that one that is held up does not hold up all

_given: ContextVar[int | None] = ContextVar("threads of the kernels, where torch has one", default=None)


def threads() -> int:
    """As many as the kernels may use."""
    return _given.get() or torch.get_num_threads()


@contextmanager
def torch_on_one_thread(kernels: int | None = None) -> Iterator[None]:
    """The same bytes on any number of threads: torch has one, and the kernels as many as they had, or `kernels`."""
    before, given = torch.get_num_threads(), _given.set(kernels or threads())
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        _given.reset(given)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="rows")


os.register_at_fork(after_in_child=_pool.cache_clear)


def over_rows(kernel: Callable[..., object], work: np.ndarray | int, *arguments: object, pieces: int = PIECES) -> None:
    """kernel(first, last, *arguments) over all rows, in so many pieces a thread.

    `work[i]` is the work before row i and `work[-1]` all of it, or `work` is that many rows of a unit each.
    """
    rows, amount = (work, work) if isinstance(work, int) else (len(work) - 1, int(work[-1]))
    if threads() == 1 or amount < SMALL:
        kernel(0, rows, *arguments)
        return
    cuts = np.linspace(0, amount, pieces * threads() + 1).astype(np.int64)[1:-1]
    ends = [0, *(cuts if isinstance(work, int) else np.searchsorted(work, cuts)).tolist(), rows]
    mine, *others = [piece for piece in pairwise(ends) if piece[0] < piece[1]]
    waiting = [_pool().submit(kernel, *piece, *arguments) for piece in others]
    kernel(*mine, *arguments)
    for piece in waiting:
        piece.result()
