"""The planted mistakes of the zoo, by name: `zoo/stale_u`."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from errors import unknown

ZOO = Path(__file__).parent / "zoo"
GUIDES = {"guides": "factorization", "pyro": "factorization"}  # folders not named for their problem set, but for a form


@cache
def mistakes() -> dict[str, Path]:
    """Every mistake's file."""
    return {path.stem: path for path in sorted(ZOO.glob("*/[a-z]*.py"))}


def file(name: str) -> Path:
    """Errors: InputError with the nearest name for a mistake that is not in the zoo."""
    if name not in mistakes():
        raise unknown("mistake in the zoo", name, mistakes())
    return mistakes()[name]


def resolved(word: str) -> str:
    """The path of the file that `zoo/stale_u` means; any other word as it is. Errors: as `file`."""
    return str(file(word.removeprefix("zoo/"))) if word.startswith("zoo/") else word


def problem_set(name: str) -> str:
    """The name of the test problems that a mistake is one on."""
    folder = file(name).parent.name
    return GUIDES.get(folder, folder)


def symptom(name: str) -> str:
    """What a user would see: the first line of the mistake's own docstring."""
    return (ast.get_docstring(ast.parse(file(name).read_text())) or "").partition("\n")[0]
