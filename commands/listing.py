"""`--list`: what there is to choose from."""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Iterable
from dataclasses import fields
from types import UnionType
from typing import get_args

from rich.console import Console

from errors import InputError, unknown
from experiments.ratings.request import Request
from inference import engine, load
from inference.method import Method
from inference.options import KINDS, choices
from inference.user_file import is_file
from runs.request import GIVEN, flag
from views import tables
from views.numbers import cell

NUMBERS = ("noise_variance", "prior_variance", "clip")
OPTIONS = "\nOptions:\n"  # in a docstring, above a line for each: its name, two spaces or more, what it is


def run(args: argparse.Namespace) -> int:
    """The list that is asked for, of all problems."""
    others = sorted(vars(args).get(GIVEN, frozenset()) - {"list"})
    if others:
        raise InputError("--list lists the methods of all problems and stops: leave out "
                         + ", ".join(flag(name) for name in others))
    show(args.list)
    return 0


def show(name: str = "") -> None:
    """Every method with its first line; or, by name, what is called so, with its options."""
    console = tables.console()
    if not name:
        everything(console)
        return
    for headline, method in found(name):
        one(console, headline, method)


def everything(console: Console) -> None:
    """A table of methods and one of guides for each kind of model."""
    for kind, model in load.kinds().items():
        known, guides = load.names(kind), load.guides(kind)
        tables.show(console, model, ("method", "by", "what it does"),
                    [(name, load.author(name), line) for name, line in known.items() if name not in guides.values()])
        if guides:
            tables.show(console, f"Guides for {model}: --guide NAME, or a file of your own", ("guide", "what q is"),
                        [(guide, known.get(method, f"Pyro's automatic guide, by {method.partition(':')[0]}"))
                         for guide, method in guides.items()])
    tables.show(console, "The factorization's own numbers, for every method of Problems 2 and 3",
                ("option", "meaning and unit"),
                [(flag(f.name), f.metadata["help"]) for f in fields(Request) if f.name in NUMBERS])
    console.print("--list NAME shows the options of a method or a guide", highlight=False)


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
    tables.show(console, "options" if rows else "no options", ("name", "values", "default", "what it is"), rows)


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
