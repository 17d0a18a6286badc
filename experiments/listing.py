"""`--list`: what there is to choose from."""

from __future__ import annotations

import inspect

from rich.console import Console

from errors import unknown
from inference import load
from inference.method import Method
from views import tables

MODELS = {"grid": "Problem 1, the grid Markov random field",
          "factorization": "Problems 2 and 3, the factorization of ratings"}


def show(name: str = "") -> None:
    """Every method with its first line; or, by name, one method with its options."""
    console = tables.console()
    known = {model: load.names(model) for model in MODELS}
    for model, methods in known.items():
        if name in methods:
            _show_one(console, load.method(model, name))
            return
    if name:
        raise unknown("method", name, [m for methods in known.values() for m in methods])
    for model, methods in known.items():
        tables.show(console, MODELS[model], ("method", "by", "what it does"),
                    [(method, load.author(method), line) for method, line in methods.items()])
    console.print("--list NAME shows a method's options", highlight=False)


def _show_one(console: Console, method: Method) -> None:
    console.print(f"{method.name} ({method.by}, {method.family})\n\n{inspect.getdoc(method.module)}\n",
                  markup=False, highlight=False, soft_wrap=True)
    rows = []
    for name, parameter in method.options.items():
        allowed = ", ".join(map(str, load.choices(parameter.annotation)))
        kind = getattr(parameter.annotation, "__name__", str(parameter.annotation))
        rows.append((name, allowed or kind, str(parameter.default)))
    tables.show(console, "options" if rows else "no options", ("name", "values", "default"), rows)
