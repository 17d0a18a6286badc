"""`--list`: what there is to choose from."""

from __future__ import annotations

import inspect

from rich.console import Console

from errors import unknown
from inference import load
from inference.method import Method
from inference.options import choices
from views import tables

MODELS = {"grid": "Problem 1, the grid Markov random field",
          "factorization": "Problems 2 and 3, the factorization of ratings"}


def show(name: str = "") -> None:
    """Every method with its first line; or, by name, one method with its options."""
    console = tables.console()
    known, guides = {model: load.names(model) for model in MODELS}, load.guides()
    found = [load.method(model, name) for model, methods in known.items() if name in methods]
    if name in guides:
        found.append(load.method("factorization", guides[name].partition(":")[0]))
    if name.partition(":")[0].endswith(".py"):
        found.append(load.method("factorization", name))
    for method in found:
        _show_one(console, method)
    if found:
        return
    if name:
        raise unknown("method or guide", name, [*guides, *(m for methods in known.values() for m in methods)])
    for model, methods in known.items():
        tables.show(console, MODELS[model], ("method", "by", "what it does"),
                    [(method, load.author(method), line) for method, line in methods.items()
                     if method not in guides.values()])
    tables.show(console, "Guides of Problem 2: --guide NAME, or a file of your own", ("guide", "what q is"),
                [(guide, known["factorization"].get(method, f"Pyro's automatic guide, by {method.partition(':')[0]}"))
                 for guide, method in guides.items()])
    console.print("--list NAME shows the options of a method or a guide", highlight=False)


def _show_one(console: Console, method: Method) -> None:
    said = inspect.getdoc(method.module) or "no docstring"
    console.print(f"{method.name} ({method.by}, {method.family})\n\n{said}\n",
                  markup=False, highlight=False, soft_wrap=True)
    rows = []
    for name, parameter in method.options.items():
        allowed = ", ".join(map(str, choices(parameter.annotation)))
        kind = getattr(parameter.annotation, "__name__", str(parameter.annotation))
        rows.append((name, allowed or kind, str(parameter.default)))
    tables.show(console, "options" if rows else "no options", ("name", "values", "default"), rows)
