"""`--list`: what there is to choose from."""

from __future__ import annotations

import argparse

from rich.console import Console

from errors import InputError
from inference import known
from runs.request import GIVEN, flag
from views import tables


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
    from commands import described  # which imports what it describes

    for headline, method in described.found(name):
        described.one(console, headline, method)


def everything(console: Console) -> None:
    """A table of methods and one of guides for each kind of model."""
    for kind, model in known.kinds().items():
        names, guides = known.names(kind), known.guides(kind)
        tables.show(console, model, ("method", "by", "what it does"),
                    [(name, known.author(name), line) for name, line in names.items() if name not in guides.values()],
                    prose=("what it does",))
        if guides:
            tables.show(console, f"Guides for {model}: --guide NAME, or a file of your own", ("guide", "what q is"),
                        [(guide, names.get(method, f"Pyro's automatic guide, by {method.partition(':')[0]}"))
                         for guide, method in guides.items()], prose=("what q is",))
    console.print("--list NAME shows the options of a method or a guide; --problem N --help those of a problem",
                  highlight=False)
