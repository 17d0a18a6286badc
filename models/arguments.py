"""The arguments of a user's model, and where in them its observed values lie: so that others can be put there.

An observed value is an argument itself or a view of one, as `obs=y[t]` in a loop is; a copy, as `y[mask]`, is nowhere.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

Path = tuple[Any, ...]  # the place of an argument, and within a list or dict the place in it


@dataclass(frozen=True)
class Place:
    """A value within an argument: `index` are the entries of the argument, in its own order, that the value has."""

    path: Path
    index: Tensor


@dataclass(frozen=True)
class Arguments:
    """What a model is called with.

    >>> y = torch.arange(6.0).reshape(2, 3)
    >>> given = Arguments.of((1.5, y))
    >>> given.put({given.find(y[:, 1]): torch.tensor([7.0, 8.0])}).args[1]
    tensor([[0., 7., 2.],
            [3., 8., 5.]])
    """

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, given: object) -> Arguments:
        """A tuple of arguments, a dict of keywords, None for no arguments, or one argument."""
        if given is None:
            return cls()
        if isinstance(given, dict):
            return cls((), given)
        return cls(given if isinstance(given, tuple) else (given,))

    def named(self, function: Callable[..., Any]) -> dict[str, Any]:
        """By the names that the function gives them. Errors: TypeError for what it does not take."""
        signature = inspect.signature(getattr(function, "forward", function))
        return dict(signature.bind(*self.args, **self.kwargs).arguments)

    def tensors(self) -> Iterator[tuple[Path, Tensor]]:
        """The arguments that are tensors, those in lists and dicts too."""
        for at, value in [*enumerate(self.args), *self.kwargs.items()]:
            inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) \
                else ()
            if isinstance(value, Tensor):
                yield (at,), value
            yield from (((at, key), part) for key, part in inner if isinstance(part, Tensor))

    def everything(self) -> Iterator[Tensor]:
        """All that can change an answer, for a fingerprint: the tensors, then numbers, words and arrays as bytes."""
        yield from (x for _, x in self.tensors())
        words = "\n".join([*_words("", self.args), *_words("", self.kwargs)])
        yield torch.frombuffer(bytearray(words.encode() or b"\0"), dtype=torch.uint8)

    def find(self, value: Tensor) -> Place | None:
        """Where the value lies, by the memory that it shares with an argument."""
        for path, whole in self.tensors():
            if whole.dtype != value.dtype or \
                    whole.untyped_storage().data_ptr() != value.untyped_storage().data_ptr():
                continue
            has, wanted = _memory(whole), _memory(value)
            order = has.argsort()
            at = torch.searchsorted(has[order], wanted).clamp(max=len(has) - 1)
            index = order[at]
            if torch.equal(has[index], wanted):
                return Place(path, index)
        return None

    def put(self, values: Mapping[Place, Tensor]) -> Arguments:
        """The same arguments with other values in these places; nothing is written into."""
        new = dict(self.tensors())
        for place, value in values.items():
            flat, within = new[place.path].reshape(-1), value.to(new[place.path].dtype).reshape(-1)
            whole = len(place.index) == len(flat) and bool((place.index == torch.arange(len(flat))).all())
            new[place.path] = (within if whole else flat.index_put((place.index,), within)).reshape(
                new[place.path].shape)
        return self._with({place.path: new[place.path] for place in values})

    def double(self) -> Arguments:
        """The same in float64, where they are floating point."""
        return self._with({path: x.double() for path, x in self.tensors() if x.is_floating_point()})

    def _with(self, new: Mapping[Path, Tensor]) -> Arguments:
        args, kwargs = list(self.args), dict(self.kwargs)
        for (at, *inner), value in new.items():
            where: Any = args if isinstance(at, int) else kwargs
            if inner:
                copy = dict(where[at]) if isinstance(where[at], dict) else list(where[at])
                copy[inner[0]] = value
                where[at] = tuple(copy) if isinstance(where[at], tuple) else copy
            else:
                where[at] = value
        return Arguments(tuple(args), kwargs)


def _words(at: str, value: object) -> Iterator[str]:
    """What is no tensor, each with its place; of what else an argument may be nothing is known."""
    if isinstance(value, Mapping | list | tuple):
        for key, part in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _words(f"{at}/{key}", part)
    elif isinstance(value, np.ndarray):
        yield f"{at} {value.dtype} {value.tolist()}"
    elif value is None or isinstance(value, int | float | str | np.generic):
        yield f"{at} {value!r}"


def _memory(x: Tensor) -> Tensor:
    """Where every entry lies in the storage, in the tensor's own order."""
    at = torch.tensor(x.storage_offset())
    for size, stride in zip(x.shape, x.stride(), strict=True):
        at = at[..., None] + stride * torch.arange(size)
    return at.reshape(-1)
