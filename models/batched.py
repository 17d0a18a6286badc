"""One replicate of a Pyro program made into many: `torch.func.vmap` over Pyro's handlers, else one by one.

vmap wants every draw to make a new tensor and no number to become Python's. Torch's distributions draw in place, and
its Dirichlet has a gradient of its own: `drawing` replaces these. A program that asks `if tensor:` or calls `.item()`
cannot be vectorised, and is run once a replicate.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pyro
import torch
from torch import Tensor
from torch.distributions import dirichlet, multinomial
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as trees

Tree = Any  # dicts, tuples and lists of tensors
CHUNK = 4096  # replicates at a time


@contextmanager
def double() -> Iterator[None]:
    """Tensors made inside, unless they say otherwise, are in float64."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def seeded(rng: torch.Generator) -> Iterator[None]:
    """Torch's own generator draws as `rng` says, and is handed back; so is Pyro's store, empty inside."""
    with torch.random.fork_rng(devices=()), pyro.get_param_store().scope(), pyro.validation_enabled(False), double():
        seed = int(torch.randint(2**62, (), generator=rng))
        torch.default_generator.manual_seed(seed)  # torch.manual_seed takes 2 ms
        yield


def over(function: Callable[..., Tree], given: Sequence[Tree], vectorised: bool, chunk: int = CHUNK) -> Tree:
    """`function` of every replicate, the leading axis of all tensors in `given`; results are stacked likewise."""
    count = len(trees.tree_leaves(given[0])[0])
    if not vectorised:
        each = [function(*_take(given, r)) for r in range(count)]
        return trees.tree_map(lambda *found: torch.stack([torch.as_tensor(x) for x in found]), *each)
    parts = []
    with drawing():
        for first in range(0, count, chunk):
            some = _take(given, slice(first, first + chunk))
            parts.append(torch.func.vmap(_writable(function), randomness="different")(*some))
    return parts[0] if len(parts) == 1 else trees.tree_map(lambda *found: torch.cat(found), *parts)


def _writable(function: Callable[..., Tree]) -> Callable[..., Tree]:
    """The function of one replicate, which may make a tensor and write into it: p = torch.zeros(3); p[0] = x."""
    def found(*given: Tree) -> Tree:
        with _Fresh(torch.zeros_like(trees.tree_leaves(given)[0], dtype=torch.float64).sum()):
            return function(*given)

    return found


def _take(given: Sequence[Tree], index: int | slice) -> Sequence[Tree]:
    return [trees.tree_map(lambda x: x[index], tree) for tree in given]


class _Draws(TorchFunctionMode):
    """Draws in place as draws of new tensors; x[z], z a scalar, as a selection; a matrix without a Cholesky factor does
    not stop the others."""

    def __torch_function__(self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (),
                           kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "")
        if name in DRAWS:
            return DRAWS[name](args[0], *args[1:], **kwargs)
        if function == DATA:
            return args[0].detach()
        if name in FACTORS and not kwargs:
            return _cholesky(*args)
        if name == "__getitem__" and isinstance(args[1], Tensor) and args[1].ndim == 0 and \
                args[1].dtype in (torch.int64, torch.int32):
            return args[0].index_select(0, args[1][None]).squeeze(0)
        return function(*args, **kwargs)


class _Fresh(TorchFunctionMode):
    """New tensors are each replicate's own, and not one for all, into which none could write. zero is each's own."""

    def __init__(self, zero: Tensor) -> None:
        super().__init__()
        self.zero = zero

    def __torch_function__(self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (),
                           kwargs: dict[str, Any] | None = None) -> Any:
        made = function(*args, **(kwargs or {}))
        own = getattr(function, "__name__", "") in MADE and made.is_floating_point()
        return made + self.zero.to(made.dtype) if own else made


def _normal(x: Tensor, mean: float = 0.0, std: float = 1.0, **_: object) -> Tensor:
    return torch.randn(x.shape, dtype=x.dtype) * std + mean


def _uniform(x: Tensor, low: float = 0.0, high: float = 1.0, **_: object) -> Tensor:
    return torch.rand(x.shape, dtype=x.dtype) * (high - low) + low


def _exponential(x: Tensor, rate: float = 1.0, **_: object) -> Tensor:
    return -torch.log1p(-torch.rand(x.shape, dtype=x.dtype)) / rate


def _cauchy(x: Tensor, median: float = 0.0, scale: float = 1.0, **_: object) -> Tensor:
    return median + scale * torch.tan(math.pi * (torch.rand(x.shape, dtype=x.dtype) - 0.5))


def _cholesky(x: Tensor) -> Tensor:
    """L; where there is none a diagonal of infinite numbers, with which a normal density is 0."""
    L, failed = torch.linalg.cholesky_ex(x)
    nowhere = torch.full(x.shape[-1:], torch.inf, dtype=x.dtype).diag_embed()
    return torch.where(failed[..., None, None] == 0, L, nowhere)


def _multinomial(self: Any, sample_shape: Sequence[int] = ()) -> Tensor:
    """Counts of draws, added up without writing into them."""
    drawn = self._categorical.sample((self.total_count, *sample_shape))
    return (drawn[..., None] == torch.arange(self.probs.shape[-1])).sum(0).to(self.probs.dtype)


def _log_multinomial(self: Any, value: Tensor) -> Tensor:
    """log n! + sum_k (n_k log p_k - log n_k!)"""
    terms = torch.where(value == 0, 0.0, value * self.logits) - (value + 1).lgamma()
    return (value.sum(-1) + 1).lgamma() + terms.sum(-1)


MADE = ("zeros", "ones", "full", "empty", "zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones",
        "new_full", "new_empty")
DATA = Tensor.data.__get__  # type: ignore[attr-defined]
FACTORS = ("cholesky", "linalg_cholesky")
DRAWS: dict[str, Callable[..., Tensor]] = {
    "normal_": _normal, "uniform_": _uniform, "exponential_": _exponential, "cauchy_": _cauchy}


@contextmanager
def drawing() -> Iterator[None]:
    """Torch's and Pyro's distributions can be drawn from under vmap."""
    with mock.patch.object(dirichlet._Dirichlet, "apply", staticmethod(torch._sample_dirichlet)), \
            mock.patch.object(multinomial.Multinomial, "sample", _multinomial), \
            mock.patch.object(multinomial.Multinomial, "log_prob", _log_multinomial), _Draws(), \
            warnings.catch_warnings():
        warnings.filterwarnings("ignore", "There is a performance drop")  # of operations that vmap runs one by one
        warnings.filterwarnings("ignore", "An output with one or more elements was resized")  # by torch.binomial
        yield
