"""`--list NAME`: a method or a guide, its equations and its options."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable
from types import UnionType
from typing import get_args

from rich.console import Console

from errors import InputError, unknown
from inference import engine, load
from inference.method import Method
from inference.options import KINDS, choices
from inference.user_file import is_file
from views import tables
from views.numbers import cell

OPTIONS = "\nOptions:\n"  # in a docstring, above a line for each: its name, two spaces or more, what it is


def found(name: str) -> list[tuple[str, Method]]:
    """Every method and guide of that name with a line that says for what model it is; or the one in a file.

    Errors: InputError for a name that there is not, and for a file that holds none.
    """
    if is_file(name):
        return [("A file of yours", in_file(name))]
    methods, all_names = [], []
    for kind, model in load.kinds().items():
        guides = load.guides(kind)
        all_names += [*guides, *load.names(kind)]
        if name in load.names(kind):
            methods.append((f"A method for {model}", load.method(kind, name)))
        if name in guides:
            methods.append((f"A guide for {model}", load.method(kind, guides[name].partition(":")[0])))
    if not methods:
        raise unknown("method or guide", name, all_names)
    return methods


def in_file(name: str) -> Method:
    """The method in a user's file, for the first kind of model that has use for what it holds."""
    errors = []
    for kind in load.kinds():
        try:
            return load.method(kind, name)
        except InputError as error:
            errors.append(error)
    raise errors[-1]


def one(console: Console, headline: str, method: Method) -> None:
    """A method's docstring, and its options in words."""
    said = (inspect.getdoc(method.module) or "no docstring").partition(OPTIONS)[0].rstrip()
    console.print(f"{headline}: {method.name} (by {method.by}, {method.family})\n\n{said}\n",
                  markup=False, highlight=False, soft_wrap=True)
    rows = []
    for name, option in method.options.items():
        meaning, where_none = documented(name, documents(method))
        default = where_none or "none" if option.default is None else cell(option.default)
        rows.append((name, in_words(option.annotation), default, meaning))
    tables.show(console, "options" if rows else "no options", ("name", "values", "default", "what it is"), rows,
                spare=("values", "default"), prose=("values", "default", "what it is"))


def in_words(annotation: object) -> str:
    """What an option may be.

    >>> from inference.engine import Engine
    >>> in_words(float), in_words(int | None), in_words(Engine)
    ('a number', 'a whole number, or none', 'auto, compiled or torch')
    """
    allowed = [str(choice) for choice in choices(annotation)]
    if allowed:
        return " or ".join(filter(None, (", ".join(allowed[:-1]), allowed[-1])))
    kinds = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    words = [KINDS.get(k, getattr(k, "__name__", str(k))) for k in kinds if isinstance(k, type) and k is not type(None)]
    return " or ".join(words) + (", or none" if type(None) in kinds else "")


def documents(method: Method) -> list[str]:
    """Where a method's options may be documented: its own docstring, then those of the parts that it is made of."""
    things = (method.init, *vars(method.module).values())
    parts = dict.fromkeys(str(getattr(thing, "__module__", "")) for thing in things)
    modules = [method.module, *(sys.modules[name] for name in parts if name.startswith("inference.")), engine]
    return [inspect.getdoc(module) or "" for module in modules]


def documented(name: str, texts: Iterable[str]) -> tuple[str | None, str | None]:
    """What an option means, and what is used where it is none, from the lines below "Options:" in a docstring.

    >>> documented("lr", ["A fit.\\n\\nOptions:\\n\\n    lr   learning rate; by default 0.1"])
    ('learning rate', '0.1')
    """
    for text in texts:
        line = re.search(rf"^ +{re.escape(name)} {{2,}}(\S.*)$", text.partition(OPTIONS)[2], re.MULTILINE)
        if line:
            meaning, _, where_none = line[1].partition("; by default ")
            return meaning, where_none or None
    return None, None
