"""What there is, by name: read from the source, so that listing imports no library."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from inference.user_file import GUIDE

HERE = Path(__file__).parent
NEEDED = ("init", "step", "draw")
LIBRARIES = ("pyro", "pgmpy")  # a name's last word, where the method is theirs
AUTOMATIC = ("AutoNormal", "AutoMultivariateNormal", "AutoLowRankMultivariateNormal", "AutoDelta")


@cache
def kinds() -> dict[str, str]:
    """The kinds of model that there are methods for, by their folder here, and what each is."""
    found = {path.parent.name: (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0].rstrip(".")
             for path in HERE.glob("*/__init__.py") if names(path.parent.name)}
    return dict(sorted(found.items(), key=lambda each: each[1]))


@cache
def names(kind: str) -> dict[str, str]:
    """Every method of ours for a kind of model and the first line of its docstring: files that define the contract's
    functions, or import them from the part that several methods share."""
    found = {}
    for path in sorted((HERE / kind).glob("*.py")):
        tree = ast.parse(path.read_text())
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)} | {
            name.asname or name.name for node in tree.body if isinstance(node, ast.ImportFrom) for name in node.names}
        if functions.issuperset(NEEDED) or GUIDE in functions:
            found[path.stem] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return found


def guides(kind: str = "factorization") -> dict[str, str]:
    """The guides that `--guide` knows by name, and the method that each is: `low_rank` is guide_low_rank_pyro."""
    known = names(kind)
    ours = {name.removeprefix("guide_").removesuffix("_pyro"): name for name in known if name.startswith("guide_")}
    theirs = {name: f"svi_auto_pyro:guide={name}" for name in AUTOMATIC if "svi_auto_pyro" in known}
    short = {name.removesuffix("MultivariateNormal"): spec for name, spec in theirs.items() if "LowRank" in name}
    return ours | theirs | short


def author(name: str) -> str:
    """Who does the inference in a method of ours: "hand", or the library that its name ends with.

    >>> author("gibbs"), author("gibbs_pgmpy")
    ('hand', 'pgmpy')
    """
    last = name.rpartition("_")[2]
    return last if last in LIBRARIES else "hand"
