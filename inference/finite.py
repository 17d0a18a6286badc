"""NaN and infinity are never an answer: the step in which they arise is named, and what was too large for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from errors import InputError
from inference.method import Method
from models.model import Data, Model

LIBRARIES_SAY = ("invalid values", "valid initial params")  # torch's distributions and Pyro, in a ValueError
FAR = 1e6  # numbers this far from 1 are what to look at first
BEYOND = (np.linalg.LinAlgError, torch.linalg.LinAlgError, FloatingPointError, OverflowError, ZeroDivisionError)


class Work(Protocol):
    """A method on a model and data, as the loop and the runner know it."""

    @property
    def method(self) -> Method: ...
    @property
    def model(self) -> Model: ...
    @property
    def data(self) -> Data: ...
    @property
    def options(self) -> Mapping[str, Any]: ...


def check(value: object, work: Work, when: str, *, infinite: bool = False) -> None:
    """Errors: InputError that names the first part of `value` that is NaN or, unless that is let be, infinite."""
    for name, numbers in tensors(value):
        if np.isfinite(float(numbers.sum())):
            continue  # and so is every part; the other way round it need not be
        if bool((numbers.isnan() if infinite else ~numbers.isfinite()).any()):
            where = f"{name} is" if name else "a number is"
            raise InputError(f"{work.method.name}: {where} not finite {when}: {remedy(work)}")


@contextmanager
def arithmetic(work: Work, when: str) -> Iterator[None]:
    """What linear algebra and arithmetic say of numbers beyond them is a sentence."""
    try:
        yield
    except (*BEYOND, ValueError) as error:
        if not isinstance(error, BEYOND) and not any(words in str(error) for words in LIBRARIES_SAY):
            raise
        what = " ".join(str(error).split())[:100] or type(error).__name__
        raise InputError(f"{work.method.name}: the arithmetic fails {when} ({what}): {remedy(work)}") from error


def remedy(work: Work) -> str:
    """What to try: numbers far from 1 nearer to it, else other options."""
    reach = {"the data": largest(work.data), "the model's numbers": largest(work.model)}
    far = [f"{whose} reach {number:.3g}" for whose, number in reach.items() if number > FAR]
    if far:
        return f"{' and '.join(far)}; bring them nearer to 1"
    given = ", ".join(f"{name}={value:g}" for name, value in work.options.items()
                      if isinstance(value, float | int) and not isinstance(value, bool))
    return "try other options" + (f" (now {given}), smaller steps say" if given else " or another method")


def largest(value: object) -> float:
    """The largest absolute number in it, 0 where there is none."""
    return max((float(numbers.abs().max()) for _, numbers in tensors(value)), default=0.0)


def tensors(value: object, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """The floating-point tensors and numbers in a nest of dataclasses, mappings and sequences, by the nearest name.

    >>> [(name, float(t.sum())) for name, t in tensors({"U": torch.ones(2), "V": [1.0, "word"]})]
    [('U', 2.0), ('V', 1.0)]
    """
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(value) if value.dtype.kind == "f" else None
    if isinstance(value, Tensor):
        if value.is_floating_point() and value.numel():
            yield name, value.detach()
    elif isinstance(value, float):
        yield name, torch.tensor(value, dtype=torch.float64)
    else:
        for key, part in parts(value):
            yield from tensors(part, key if isinstance(key, str) else name)


def parts(value: object) -> Iterator[tuple[object, object]]:
    """What a dataclass, a mapping or a sequence holds, by name."""
    if is_dataclass(value):
        yield from ((f.name, getattr(value, f.name)) for f in fields(value))
    elif isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, list | tuple):
        yield from ((None, part) for part in value)
