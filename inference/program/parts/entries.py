"""A log density and its gradient entry by entry, in Python's own floats.

A loop over time makes thousands of tensors of one number each, and torch takes microseconds for each of them, forth and
back, where Python takes tens of nanoseconds. So what the density does to its tensors is written down once, as a list of
operations on single numbers (Wengert 1964); of that list a function is made, and its derivative, from the last
operation to the first:

    y_k = f_k(y_i, y_j),   g_i += g_k df_k / dy_i,   g = d log p / dy

What only moves entries (a view, a stack, a slice) is done to their places in the list, and costs nothing. Of a few
large tensors torch is the faster: then, and for operations that are not in `rules.py`, there is no such function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as trees
from torch.utils._python_dispatch import TorchDispatchMode

from inference.program.parts import rules, whole

LARGEST = 60_000  # entries
WORTH = 50  # entries that take as long as an operation of torch
UNDEFINED = (ArithmeticError, ValueError)  # where torch says inf or NaN: log(0), exp(1000)

LogDensity = Callable[[Tensor], Tensor]


def of(log_p: LogDensity, u: Tensor, otherwise: LogDensity) -> LogDensity | None:
    """The same as log_p, (D,) -> (), with a gradient; `otherwise` where Python's functions are undefined. None where it
    cannot be had, or would not be quicker."""
    tape = Tape()
    places = torch.tensor([tape.entry("given", k) for k in range(len(u))])
    try:
        with torch.no_grad(), tape:
            start = u.clone()
            tape.hold(start, places)
            out = tape.places(log_p(start))
    except (NotImplementedError, RuntimeError, TypeError):
        return None
    if tape.operations == 0 or len(tape.entries) > WORTH * tape.operations:
        return None
    function = _function(tape.entries, int(out), len(u))

    def by_entry(u: Tensor) -> Tensor:
        try:
            value, gradient = function(u.tolist())
        except UNDEFINED:
            return otherwise(u)
        return _Known.apply(u, value, gradient)  # type: ignore[no-any-return, no-untyped-call]

    return by_entry


class _Known(torch.autograd.Function):
    """A value and a gradient that are known."""

    @staticmethod
    def forward(context: Any, u: Tensor, value: float, gradient: Sequence[float]) -> Tensor:
        context.gradient = gradient
        return u.new_tensor(value)

    @staticmethod
    def backward(context: Any, g: Tensor) -> Any:
        return g * g.new_tensor(context.gradient), None, None


class Tape(TorchDispatchMode):
    """What is done to the entries of a tensor that it was told of, and of all that come of it."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[rules.Entry] = []
        self.operations = 0  # of torch
        self._known: dict[rules.Entry, int] = {}
        self._held: dict[int, tuple[Tensor, Tensor]] = {}  # a tensor by its identity, and the places of its entries
        self.entry("constant", 0.0)  # what a move fills up with is place 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Torch would import its compiler, for seconds, to keep it off."""
        return False

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = function(*args, **(kwargs or {}))
        given = [x for x in trees.tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        name = function._schema.name.removeprefix("aten::")
        if name not in rules.FRESH and any(id(x) in self._held for x in given):
            if function._schema.is_mutable and (out is not args[0] or id(out) not in self._held or out._is_view()):
                raise NotImplementedError(name)  # it writes into what others may see
            self._note(name.rstrip("_") if function._schema.is_mutable else name, function, args, kwargs or {}, out)
        return out

    def entry(self, name: str, *operands: Any) -> int:
        """Its place; the same is written down once. Errors: NotImplementedError for too many."""
        key = (name, *operands)
        if key not in self._known:
            if len(self.entries) > LARGEST:
                raise NotImplementedError("too many entries")
            self._known[key] = len(self.entries)
            self.entries.append(key)
        return self._known[key]

    def hold(self, tensor: Tensor, places: Tensor) -> None:
        self._held[id(tensor)] = tensor, places

    def places(self, x: Any) -> Tensor:
        """Of the entries of a tensor or a number, whose own are constants."""
        if isinstance(x, Tensor) and id(x) in self._held:
            return self._held[id(x)][1]
        x = x if isinstance(x, Tensor) else torch.tensor(float(x), dtype=torch.float64)
        if x.dtype == torch.float32:
            raise NotImplementedError("float32")
        values = x.reshape(-1).tolist()
        return torch.tensor([self.entry("constant", v) if v else 0 for v in values], dtype=torch.long).reshape(x.shape)

    def _note(self, name: str, function: Any, args: Any, kwargs: Any, out: Any) -> None:
        self.operations += 1
        if name in rules.MOVES:
            found = function(*trees.tree_map(self._moved, args), **kwargs)
        elif name in whole.ALL:
            found = whole.ALL[name](self, *args, **kwargs)
        else:
            found = whole.each(self, name, args, out, **kwargs)
        for tensor, places in zip(trees.tree_leaves(out), trees.tree_leaves(found), strict=False):
            self.hold(tensor, places)

    def _moved(self, x: Any) -> Any:
        """Places of what has numbers; indices as they are."""
        if isinstance(x, Tensor) and (id(x) in self._held or x.is_floating_point()):
            return self.places(x)
        return x

    def each(self, name: str, *operands: Tensor) -> Tensor:
        """An operation entry by entry, of places of one shape."""
        columns = [places.reshape(-1).tolist() for places in operands]
        found = [self.entry(name, *row) for row in zip(*columns, strict=True)]
        return torch.tensor(found, dtype=torch.long).reshape(operands[0].shape)

    def rows(self, name: str, places: Tensor) -> Tensor:
        """An operation on all entries of the last axis, (...)."""
        flat = places.reshape(-1, places.shape[-1]).tolist()
        return torch.tensor([self.entry(name, *row) for row in flat], dtype=torch.long).reshape(places.shape[:-1])


def _function(entries: Sequence[rules.Entry], out: int, size: int) -> Callable[[list[float]], Any]:
    """u -> (log p, gradient), in Python."""
    needed, varies = sorted(_needed(entries, out)), _varying(entries)
    names = [rules.named(k, entry) for k, entry in enumerate(entries)]
    forth = [f"y{k}={rules.value(entries[k], names)}" for k in needed if rules.operands(entries[k])]
    back, seen = [f"g{out}=1.0"], {out}
    for k in reversed(needed):
        for j, slope in rules.slopes(k, entries[k], names, varies) if k in seen else ():
            back.append(f"g{j}{'+=' if j in seen else '='}{slope}")
            seen.add(j)
    given = {entry[1]: k for k, entry in enumerate(entries) if entry[0] == "given"}
    first = "".join(f"y{given[i]}," for i in range(size))
    gradient = "".join(f"g{given[i]}," if given[i] in seen else "0.0," for i in range(size))
    lines = [f"{first}=u", *forth, *back, f"return {names[out]},({gradient})"]
    space: dict[str, Any] = dict(rules.FUNCTIONS)
    exec("def function(u):\n " + "\n ".join(lines), space)
    return space["function"]  # type: ignore[no-any-return]


def _needed(entries: Sequence[rules.Entry], out: int) -> set[int]:
    """The places that the last one depends on."""
    found, left = set(), [out]
    while left:
        k = left.pop()
        if k not in found:
            found.add(k)
            left += rules.operands(entries[k])
    return found


def _varying(entries: Sequence[rules.Entry]) -> list[bool]:
    """Which depend on what is given."""
    found: list[bool] = []
    for entry in entries:
        found.append(entry[0] == "given" or any(found[j] for j in rules.operands(entry)))
    return found
