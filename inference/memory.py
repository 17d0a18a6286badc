"""How much memory a method may take, and the sentence for one that needs more."""

from __future__ import annotations

import os

import torch

import room
from errors import InputError


def refuse_beyond(method: str, need: int, what: str, memory_gb: float | None, device: torch.device,
                  instead: str) -> None:
    """InputError if `method` needs more than `memory_gb` (None: half of the device's memory) for `what`.

    `need` in bytes; 1 GB is 1e9 bytes.
    """
    if memory_gb is not None and not memory_gb > 0:
        raise InputError(f"memory_gb of {method} must be above 0, not {memory_gb}")
    limit = half_of_memory(device) if memory_gb is None else int(min(memory_gb, 1e9) * 1e9)
    if need > limit:
        raise InputError(f"{method} needs {_gb(need)} of memory for {what} and may take {_gb(limit)}: "
                         f"use {instead}, or raise memory_gb")


def half_of_memory(device: torch.device) -> int:
    """In bytes; less where less is free."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory // 2
    return min(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2, room.free())


def _gb(size: int) -> str:
    return f"{size / 1e9:.3g} GB" if size < 10**15 else f"10^{len(str(size)) - 10} GB"
