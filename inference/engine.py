"""Which code runs a method that has two: compiled by numba, or the readable twin in torch."""

from __future__ import annotations

from typing import Literal, get_args

import torch

from errors import InputError, unknown

Engine = Literal["auto", "compiled", "torch"]


def choose(method: str, engine: str, device: torch.device) -> str:
    """compiled or torch: `engine` itself, or for "auto" compiled on the CPU and torch elsewhere."""
    if engine not in get_args(Engine):
        raise unknown(f"engine of {method}", engine, get_args(Engine))
    if engine == "compiled" and device.type != "cpu":
        raise InputError(f"{method}'s compiled engine runs on the CPU, not on {device}: use engine 'torch'")
    return "torch" if engine == "torch" or device.type != "cpu" else "compiled"
