"""numba's `njit` for one signature, compiled at the first call and not where the file is imported.

    >>> @njit_later("float64(float64)")
    ... def twice(x: float) -> float:
    ...     return 2.0 * x
    >>> twice(21.0)
    42.0
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any, TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def njit_later(signature: str, **options: Any) -> Callable[[Function], Function]:
    """A decorator; what it gives is called from Python alone, not from other compiled functions."""
    def decorate(function: Function) -> Function:
        compiled = cache(lambda: njit(signature, **options)(function))

        @wraps(function)
        def call(*arguments: Any) -> Any:
            return compiled()(*arguments)

        return call  # type: ignore[return-value]

    return decorate
