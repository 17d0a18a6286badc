"""What runs a method: compiled by numba, or the readable twin in torch; and on how many threads.

Options:

    engine   compiled by numba, or as it is written, in torch; auto: compiled on the CPU, torch elsewhere
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

import torch

from errors import InputError, unknown
from inference.threads import torch_on_one_thread

Engine = Literal["auto", "compiled", "torch"]


def choose(method: str, engine: str, device: torch.device) -> str:
    """compiled or torch: `engine` itself, or for "auto" compiled on the CPU and torch elsewhere."""
    if engine not in get_args(Engine):
        raise unknown(f"engine of {method}", engine, get_args(Engine))
    if engine == "compiled" and device.type != "cpu":
        raise InputError(f"{method}'s compiled engine runs on the CPU, not on {device}: use engine 'torch'")
    return "torch" if engine == "torch" or device.type != "cpu" else "compiled"


def at_once(numbers: int, device: torch.device) -> int:
    """How many numbers the torch engine works on at a time where a CPU, for its caches, would take so many: elsewhere
    starting an operation costs more."""
    return numbers if device.type == "cpu" else 16 * numbers


@contextmanager
def one_thread() -> Iterator[None]:
    """torch, and the compiled kernels too, on one thread; afterwards on as many as before.

    An epoch is thousands of operations of a tenth of a millisecond. Two threads gain little on those and, where
    another program wants a processor, wait for each other at every one: an epoch then took ten times as long.
    """
    with torch_on_one_thread(kernels=1):
        yield
