"""A program from the file that a user wrote it in: `model(...)`, `data()`, and perhaps `example()` and `simulate()`."""

from __future__ import annotations

from types import ModuleType

from torch import Tensor

from errors import InputError, blaming
from models.arguments import Arguments
from models.batched import double
from models.program import Program

NEEDED = ("model", "data")


def program_of(module: ModuleType, name: str, code: str = "") -> Program:
    """From the module; name and code are of the file. Errors: InputError for one without `model` and `data`, and where
    these raise."""
    for wanted in NEEDED:
        if not callable(getattr(module, wanted, None)):
            raise InputError(f"{name} has no function `{wanted}`: a file of a model has `model(...)`, Pyro's, and "
                             f"`data()`, which returns the model's arguments")
    shown = _called(module, "example", name) if hasattr(module, "example") else None
    return Program(name, module.model, _called(module, "data", name), code, shown=shown,
                   simulator=getattr(module, "simulate", None))


def _called(module: ModuleType, function: str, name: str) -> Arguments:
    with blaming(f"{function}() of {name}", str(module.__file__)), double():
        given = Arguments.of(getattr(module, function)())
    try:
        called = given.named(module.model)
    except TypeError as error:
        count = len(given.args) + len(given.kwargs)
        raise InputError(f"{function}() of {name} returns {count} argument{'s' * (count != 1)}, which model does not "
                         f"take ({error}): return a tuple of its arguments, or a dict of them by name") from None
    for argument, value in called.items():
        if isinstance(value, Tensor) and value.device.type != "cpu":
            raise InputError(f"{function}() of {name} returns {argument} on the device {value.device}: make it on the "
                             f"CPU, as {argument}.cpu() is, where everything is computed")
    return given.double()
