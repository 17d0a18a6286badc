"""A device that is not there: what a CUDA device would refuse is refused, and everything is computed on the CPU.

    with elsewhere():
        drive(method, model.to(DEVICE), data.to(DEVICE), plan)

A tensor on it is a CPU tensor of a class of its own. As on CUDA, operations do not mix it with CPU tensors (a scalar,
and indices into it, they do), numpy cannot read it, and a generator draws only for its own device.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

CPU, DEVICE = torch.device("cpu"), torch.device("cuda", 0)
READ = ("numpy", "__array__", "__dlpack__")
COPY = ("copy_", "__setitem__", "to", "type_as")  # between devices too
JOIN = ("cat", "stack", "hstack", "vstack", "concatenate")  # of scalars too on one device only


class Elsewhere(Tensor):
    """A tensor that says it is on the device."""

    device = property(lambda self: DEVICE)  # type: ignore[assignment]
    is_cuda = property(lambda self: True)  # type: ignore[assignment]


class Generator(torch.Generator):
    """torch's, of the CPU or of the device; the same seed gives the same stream on both."""

    place: torch.device

    def __new__(cls, device: Any = "cpu") -> Generator:
        made = super().__new__(cls)
        made.place = torch.device(device)
        return made

    device = property(lambda self: self.place)  # type: ignore[assignment]


@contextmanager
def elsewhere() -> Iterator[None]:
    """Inside, there is the device; what is on it takes a CPU's memory."""
    memory = SimpleNamespace(total_memory=10**10)
    with (mock.patch("torch.Generator", Generator), mock.patch("torch.cuda.default_generators", (Generator(DEVICE),)),
          mock.patch("torch.cuda.get_device_properties", lambda device: memory), Pretend()):
        yield


class Pretend(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, name = dict(kwargs or {}), getattr(func, "__name__", "")
        if func is torch.device:
            return func(*args, **kwargs)
        given = list(_tensors((args, kwargs)))
        here = [x for x in given if not isinstance(x, Elsewhere)]
        place = DEVICE if len(here) < len(given) else CPU
        if place == DEVICE and name in READ:
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        _refuse_mixtures(name, args, here, len(given))
        target = torch.device(kwargs.pop("device", None) or _target(name, args) or place)
        rng = kwargs.get("generator")
        if rng is not None and rng.device.type != target.type:
            raise RuntimeError(f"Expected a '{target.type}' device type for generator but found '{rng.device.type}'")
        args = tuple(_on_cpu(a) for a in args)
        with torch._C.DisableTorchFunctionSubclass():
            return _placed(func(*args, **kwargs), target, args)


def _refuse_mixtures(name: str, args: Any, here: list[Tensor], count: int) -> None:
    if len(here) in (0, count) or name in COPY:
        return
    if name == "__getitem__" and isinstance(args[0], Elsewhere):
        return
    if any(x.dim() for x in here) or name in JOIN:
        raise RuntimeError(f"Expected all tensors to be on the same device, but {name} got cuda:0 and cpu")


def _target(name: str, args: Any) -> Any:
    """The device that `x.to(...)`, `x.cpu()` and the like name."""
    if name in ("cpu", "cuda"):
        return name
    if name in ("copy_", "__setitem__"):
        return args[0].device
    if name == "type_as":
        return args[1].device
    named = [a.device if isinstance(a, Tensor) else a for a in args[1:] if isinstance(a, Tensor | torch.device | str)]
    return named[0] if name == "to" and named else None


def _on_cpu(argument: Any) -> Any:
    return CPU if isinstance(argument, torch.device) else argument


def _placed(result: Any, target: torch.device, args: Any) -> Any:
    if isinstance(result, Tensor):
        return _put(result, target, args)
    if isinstance(result, tuple | list) and any(isinstance(x, Tensor) for x in result):
        parts = [_placed(x, target, args) for x in result]
        return type(result)(parts) if type(result) in (tuple, list) else type(result)(tuple(parts))
    return result


def _put(x: Tensor, target: torch.device, args: Any) -> Tensor:
    if any(x is a for a in args):  # it worked in place, or had nothing to do
        moved = isinstance(x, Elsewhere) != (target.type == DEVICE.type)
        return _put(x.clone(), target, ()) if moved else x
    with torch._C.DisableTorchFunctionSubclass():
        if target.type == CPU.type:
            return x.as_subclass(Tensor) if isinstance(x, Elsewhere) else x
        return Tensor._make_subclass(Elsewhere, x.detach(), x.requires_grad) if x.is_leaf else x.as_subclass(Elsewhere)


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _tensors(part)
