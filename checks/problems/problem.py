"""A test problem: a small model whose joint p(theta, data) can be sampled, what is measured on it, what is known.

A folder here is a set of them, `SET` in its `problems.py`; nothing else in `checks/` names one (see `load`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor

from inference.method import Latents, Quantities
from models.model import Data, Model

Features = dict[tuple[str, str], Tensor]  # (quantity, where) -> (n,)
Moments = dict[str, tuple[Tensor, Tensor]]  # (mean, variance) of everything measured
Index = int | slice | Tensor
M = TypeVar("M", bound=Model)


class Answers(Protocol):
    """What is known about a q of independent parts, given as `expect` has it: its ELBO exactly, and the best it can
    be made from there."""

    @property
    def compared(self) -> str:
        """The model's quantities, in words."""

    def moments(self, q: Quantities) -> Moments:
        """Of everything that `values` measures."""

    def values(self, draws: Latents) -> dict[str, Tensor]: ...

    def summary(self, draws: Latents) -> Quantities:
        """The q of independent parts with the moments of these draws."""

    def independent(self, q: Quantities, draws: Latents) -> bool:
        """Whether the parts are independent in draws of q."""

    def elbo(self, data: Data, q: Quantities) -> float:
        """E_q[log p - log q] in nats."""

    def polished(self, data: Data, q: Quantities, tolerance: float = 1e-6) -> float:
        """The ELBO after coordinate ascent from q, until a sweep adds less than `tolerance` nats."""


def one_sort(model: Model, data: Data) -> dict[str, tuple[str, str]]:
    return {}


def nothing(model: Model, after: Latents, data: Data) -> list[str]:
    return []


@dataclass(frozen=True)
class Problem(Generic[M]):
    """One model at a size where everything is fast. Replicates are the leading axis of latents and data.

    `free(model, latents, data)` are functions whose distribution must be learned from the joint; `normal`
    ones are N(0, 1) by algebra whenever the latents are distributed as they should be, given the data.
    `sorts(model, data)` says of what sort a row is that is measured, as "user 3": ("users", "with 1 rating").
    `terms` and `informed` are of a model that is not ours: what a weight on a term would do, and what the data tell.
    `implied(model, latents, data)` says which parameters a kernel that left the latents like this seems to have used.
    `control`, of a model that is not ours, is a kernel that is right if the model's draws and densities agree.
    """

    name: str
    model: M
    joint: Callable[[torch.Generator, int], tuple[Latents, Data]]
    one: Callable[[Data, int], Data]  # the data of one replicate, as a method takes it
    free: Callable[[M, Latents, Data], Features]
    normal: Callable[[M, Latents, Data], Features]
    changed: Mapping[str, Callable[[float], M]]  # "noise variance" -> the model with it times a factor
    coordinates: Callable[[M, Latents], Features]  # what must move, by name
    uses: str  # how a kernel gets at the data, in words
    implied: Callable[[M, Latents, Data], list[str]] = nothing
    sorts: Callable[[M, Data], Mapping[str, tuple[str, str]]] = one_sort
    answers: Answers | None = None
    terms: Callable[[M, Latents, Data], dict[str, Tensor]] | None = None  # of the log joint, by name, (n,) each
    informed: Callable[[torch.Generator], dict[str, float]] | None = None  # by site, sd of the posterior / the prior
    control: Any = None  # a checks.kernels.kernel.Kernel
    excuses: tuple[str, ...] = ()  # what is known to be wrong with the model's draws, for where control is rejected
    brief: bool = False  # not taken to the last look, unless a kernel refuses those that are


@dataclass(frozen=True)
class Listed:
    """A problem so small that all its states can be listed, and so flat that all are likely: its moves are walked."""

    problem: Problem
    states: Latents  # (n, ...)


@dataclass(frozen=True)
class ProblemSet:
    """The test problems of one kind of model, or of one sort within a kind.

    name      the folder here
    kind      the folder of `inference/` whose methods it is for
    of, asked that kind as a person says it, "Problem 1", and how a command asks for it, "--problem 1 (grids)"
    problems  the most telling first
    fitting   a somewhat larger one, on which guides and variational fits are judged
    tiny      those whose states can be listed
    richer    more is learned here than in the plain set of this kind
    apart     a method of the richer set is judged here only where it is asked for, or runs on no other set
    shows     what mistakes may depend on, and how it is seen of a model and its data: each on some problem
    """

    name: str
    kind: str
    of: str
    asked: str
    problems: Callable[[], list[Problem]]
    fitting: Callable[[], Problem]
    tiny: Callable[[], list[Listed]] | None = None
    richer: bool = False
    apart: bool = False
    shows: Mapping[str, Callable[[Any, Data], bool]] = field(default_factory=dict, hash=False)


def take(data: Data, index: Index) -> Data:
    """Some of the replicates of a tensor, a dict of tensors, or a value with its own `replicates`."""
    if isinstance(data, Tensor):
        return data[index]
    if isinstance(data, dict):
        return {name: value[index] for name, value in data.items()}
    return data.replicates(index)


def join(parts: list[Data]) -> Data:
    """The replicates of several, one after the other."""
    first = parts[0]
    if isinstance(first, Tensor):
        return torch.cat(parts)
    if isinstance(first, dict):
        return {name: torch.cat([part[name] for part in parts]) for name in first}
    return first.joined(parts)
