"""An option of a method: words, or values from Python, as the types that the method's signature asks for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from errors import InputError, short, unknown
from inference.method import Method

KINDS = {float: "a number", int: "a whole number", bool: "yes or no"}  # as a person would say it


def typed(method: Method, options: Mapping[str, Any]) -> dict[str, Any]:
    """All of them. Errors: InputError for one that the method does not have, or whose value it cannot have."""
    return {name: option(method, name, value) for name, value in options.items()}


def choices(annotation: object) -> tuple[Any, ...]:
    """The values a Literal allows, or nothing.

    >>> choices(Literal["rows", "columns"]), choices(int)
    (('rows', 'columns'), ())
    """
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def option(method: Method, name: str, value: object) -> Any:
    """`value`, perhaps a word, as the type the method's signature asks for. Errors: as `typed`."""
    if name not in method.options:
        raise unknown(f"option of {method.name}", name, method.options)
    annotation = method.options[name].annotation
    allowed = choices(annotation)
    if allowed:
        if value not in allowed:
            raise unknown(f"{name} of {method.name}", str(value), map(str, allowed))
        return value
    kinds = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    if value is None or (isinstance(value, str) and value.lower() == "none" and type(None) in kinds):
        return None
    kind = next(k for k in kinds if k is not type(None))
    try:
        if kind is bool and isinstance(value, str):
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[value.lower()]
        typed = kind(value)
    except (ValueError, KeyError, TypeError):
        wanted = KINDS.get(kind, kind.__name__) + (" or none" if type(None) in kinds else "")
        raise InputError(f"option {name} of {method.name} must be {wanted}, not '{short(value)}'") from None
    if isinstance(typed, float) and math.isnan(typed):
        raise InputError(f"option {name} of {method.name} must be a number, not '{short(value)}'")
    return typed
