"""Torch's operations that are not entry by entry, written down for `entries.py` with those that are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from inference.program.parts import rules


class Tape(Protocol):
    """What the operations are written to, as places of entries: see `entries.py`."""

    def places(self, x: Any) -> Tensor:
        """Of the entries of a tensor or a number."""

    def each(self, name: str, *operands: Tensor) -> Tensor:
        """A rule entry by entry, of places of one shape."""

    def rows(self, name: str, places: Tensor) -> Tensor:
        """A rule of all entries of the last axis."""


def each(tape: Tape, name: str, given: Sequence[Any], out: Tensor, alpha: float = 1) -> Tensor:
    """Entry by entry. Errors: NotImplementedError for what is in no rule."""
    if name == "rsub":
        name, given = "sub", (given[1], given[0])
    if name == "pow" and not isinstance(given[1], Tensor) and given[1] == 2:
        name, given = "square", given[:1]
    if name not in rules.EACH or alpha != 1 or out.dtype not in (torch.float64, torch.bool):
        raise NotImplementedError(name)
    return tape.each(name, *(tape.places(x).expand(out.shape) for x in given))


def copied(tape: Tape, x: Tensor, dtype: torch.dtype | None = None, **_: Any) -> Tensor:
    if dtype not in (None, torch.float64):
        raise NotImplementedError(f"to {dtype}")
    return tape.places(x)


def asked(tape: Tape, x: Tensor, *_: Any) -> tuple[()]:
    """A truth that a library asks of its arguments: who asks for its own sake has no trace at all."""
    if x.dtype != torch.bool:
        raise NotImplementedError("a number of Python's")
    return ()


def truth(tape: Tape, *_: Any) -> tuple[()]:
    """What is asked of all entries, by a library."""
    return ()


def log_sigmoid(tape: Tape, x: Tensor) -> Tensor:
    return tape.each("neg", tape.each("softplus", tape.each("neg", tape.places(x))))


def over(name: str) -> Callable[..., Tensor]:
    """The rule `name` of the entries along some axes, or all."""
    def found(tape: Tape, x: Tensor, dim: Sequence[int] | None = None, keepdim: bool = False, **_: Any) -> Tensor:
        if x.dtype != torch.float64:
            raise NotImplementedError(f"{name} of others than float64")
        if x.ndim == 0:
            return tape.places(x)
        axes = [d % x.ndim for d in (dim or range(x.ndim))]
        kept = [d for d in range(x.ndim) if d not in axes]
        rows = tape.places(x).permute(*kept, *axes).reshape(*[x.shape[d] for d in kept], -1)
        out = tape.rows(name, rows)
        return out.reshape([1 if d in axes else x.shape[d] for d in range(x.ndim)]) if keepdim else out

    return found


def mean(tape: Tape, x: Tensor, dim: Sequence[int] | None = None, keepdim: bool = False, **_: Any) -> Tensor:
    total = over("sum")(tape, x, dim, keepdim)
    return tape.each("div", total, tape.places(x.numel() / max(total.numel(), 1)).expand(total.shape))


def along(name: str) -> Callable[..., Tensor]:
    """Each with what came before it."""
    def found(tape: Tape, x: Tensor, dim: int) -> Tensor:
        first, *rest = tape.places(x).unbind(dim)
        so_far = [first]
        for places in rest:
            so_far.append(tape.each(name, so_far[-1], places))
        return torch.stack(so_far, dim)

    return found


def log_softmax(tape: Tape, x: Tensor, dim: int, half: bool = False) -> Tensor:
    places = tape.places(x)
    return tape.each("sub", places, over("logsumexp")(tape, x, [dim], True).expand(places.shape))


def softmax(tape: Tape, x: Tensor, dim: int, half: bool = False) -> Tensor:
    return tape.each("exp", log_softmax(tape, x, dim))


def product(tape: Tape, x: Tensor, y: Tensor) -> Tensor:
    """Of matrices and vectors: sum_k x_ik y_kj."""
    a, b = tape.places(x), tape.places(y)
    left, right = (a if a.ndim > 1 else a[None]), (b if b.ndim > 1 else b[:, None])
    shape = (left.shape[0], right.shape[1], left.shape[1])
    terms = tape.each("mul", left[:, None, :].expand(shape), right.mT[None].expand(shape))
    return tape.rows("sum", terms).reshape((*a.shape[:-1], *b.shape[1:]))


def product_and(tape: Tape, bias: Tensor, x: Tensor, y: Tensor) -> Tensor:
    found = product(tape, x, y)
    return tape.each("add", found, tape.places(bias).expand(found.shape))


def cross_entropy(tape: Tape, x: Tensor, y: Tensor, weight: None = None, of_ones: None = None, reduction: int = 1
                  ) -> Tensor:
    """log(1 + exp(x)) - x y."""
    if weight is not None or of_ones is not None or reduction:
        raise NotImplementedError("a weighted cross entropy")
    logits = tape.places(x)
    return tape.each("sub", tape.each("softplus", logits), tape.each("mul", logits, tape.places(y)))


def filled(tape: Tape, x: Tensor, mask: Tensor, by: Tensor | float) -> Tensor:
    return tape.each("where", *(tape.places(each).expand(x.shape) for each in (mask, by, x)))


def padded(tape: Tape, x: Tensor, pad: Sequence[int], by: float = 0.0) -> Tensor:
    return torch.constant_pad_nd(tape.places(x), pad, int(tape.places(float(by))))


def clamp(tape: Tape, x: Tensor, min: float | None = None, max: float | None = None) -> Tensor:
    found = tape.places(x)
    for name, bound in (("maximum", min), ("minimum", max)):
        if bound is not None:
            found = tape.each(name, found, tape.places(bound).expand(found.shape))
    return found


ALL: dict[str, Callable[..., Any]] = {
    "_to_copy": copied, "_local_scalar_dense": asked, "equal": truth, "_is_all_true": truth, "_is_any_true": truth,
    "all": truth, "any": truth, "sum": over("sum"), "mean": mean, "logsumexp": over("logsumexp"),
    "cumsum": along("add"), "cumprod": along("mul"), "_log_softmax": log_softmax, "_softmax": softmax,
    "log_sigmoid_forward": log_sigmoid, "mv": product, "mm": product, "dot": product, "addmm": product_and,
    "binary_cross_entropy_with_logits": cross_entropy, "masked_fill": filled, "constant_pad_nd": padded,
    "clamp": clamp, "clamp_min": clamp}
