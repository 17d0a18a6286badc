"""Compiled kernels over many rows at once, on as many threads as torch may use (`torch.set_num_threads`).

A kernel releases the GIL and writes only to its own rows, so the bytes do not depend on the number of
threads. Plain threads: no compile time of their own, no spinning, and safe where several chains run at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import numpy as np
import torch

SMALL = 20_000  # units of work, of about 5 ns, that are done before a thread has woken up
PIECES = 4  # for each thread, so that one that is held up does not hold up all


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="rows")


os.register_at_fork(after_in_child=_pool.cache_clear)


def over_rows(kernel: Callable[..., object], work: np.ndarray | int, *arguments: object, pieces: int = PIECES) -> None:
    """kernel(first, last, *arguments) over all rows, in so many pieces a thread.

    `work[i]` is the work before row i and `work[-1]` all of it, or `work` is that many rows of a unit each.
    """
    rows, amount = (work, work) if isinstance(work, int) else (len(work) - 1, int(work[-1]))
    threads = torch.get_num_threads()
    if threads == 1 or amount < SMALL:
        kernel(0, rows, *arguments)
        return
    cuts = np.linspace(0, amount, pieces * threads + 1).astype(np.int64)[1:-1]
    ends = [0, *(cuts if isinstance(work, int) else np.searchsorted(work, cuts)).tolist(), rows]
    mine, *others = [piece for piece in pairwise(ends) if piece[0] < piece[1]]
    waiting = [_pool().submit(kernel, *piece, *arguments) for piece in others]
    kernel(*mine, *arguments)
    for piece in waiting:
        piece.result()
