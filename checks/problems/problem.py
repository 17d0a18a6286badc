"""A test problem: a small model whose joint p(theta, data) can be sampled, and what is measured on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from inference.method import Latents

Features = dict[tuple[str, str], Tensor]  # (quantity, where) -> (n,)


@dataclass(frozen=True)
class Problem:
    """One model at a size where everything is fast. Replicates are the leading axis of latents and data.

    `free(model, latents, data)` are functions whose distribution must be learned from the joint; `normal`
    ones are N(0, 1) by algebra whenever the latents are distributed as they should be, given the data.
    """

    name: str
    kind: str  # "grid" or "factorization"
    model: Any
    joint: Callable[[torch.Generator, int], tuple[Latents, Any]]
    one: Callable[[Any, int], Any]  # the data of one replicate, as a method takes it
    free: Callable[[Any, Latents, Any], Features]
    normal: Callable[[Any, Latents, Any], Features]
    changed: Mapping[str, Callable[[float], Any]]  # "noise variance" -> the model with it times a factor
    coordinates: Callable[[Any, Latents], Features]  # what must move, by name
    spare: bool = False  # only for kernels that refuse the others


def take(data: Any, index: Any) -> Any:
    """Some of the replicates of a tensor, a dict of tensors, or a value with its own `take`."""
    if isinstance(data, Tensor):
        return data[index]
    if isinstance(data, dict):
        return {name: value[index] for name, value in data.items()}
    return data.replicates(index)


def join(parts: list[Any]) -> Any:
    """The replicates of several, one after the other."""
    first = parts[0]
    if isinstance(first, Tensor):
        return torch.cat(parts)
    if isinstance(first, dict):
        return {name: torch.cat([part[name] for part in parts]) for name in first}
    return first.joined(parts)
