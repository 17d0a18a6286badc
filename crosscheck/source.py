"""A method's code beside its formula, as it stands in the library: `cc.code("mean_field", "mean_field_update")`."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from html import escape
from typing import Any

from crosscheck.api import found
from errors import unknown
from inference import load


@dataclass(frozen=True)
class Code:
    """Lines of the library, which a notebook shows."""

    text: str
    where: str

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return (f'<figure style="margin:0"><figcaption><code>{escape(self.where)}</code></figcaption>'
                f'<pre style="overflow-x:auto" tabindex="0">{escape(self.text)}</pre></figure>')


def code(method: str, function: str = "step", kind: str | None = None) -> Code:
    """A function of a method's file, or one that it imports from a part that methods share.

    kind  of model, where two kinds have a method of that name
    Errors: InputError for a method, or a function, that there is not.
    """
    kinds = [k for k in load.kinds() if method in load.names(k) and kind in (None, k)]
    module: Any = found(method, kinds[0] if kinds else kind or "grid").module
    if not inspect.isfunction(thing := getattr(module, function, None)):
        raise unknown(f"function of {method}", function, [n for n, _ in inspect.getmembers(module, inspect.isfunction)])
    return Code(inspect.getsource(thing).rstrip(), f"{thing.__module__}.{thing.__name__}")
