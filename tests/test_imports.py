"""Who may import whom (the walls of the house), read from the source."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = {"models", "data", "inference", "checks", "views", "experiments", "run", "bench", "errors"}
MAY = {
    "errors": set(),
    "models": {"models"},
    "data": {"data", "models"},
    "inference": {"inference", "models"},
    "checks": {"checks", "models", "inference"},
    "views": {"views", "inference.result"},
    "experiments": ROOMS - {"run", "bench"},
    "run": {"experiments"},
    "bench": ROOMS,
}
FILES = sorted(p for p in ROOT.rglob("*.py")
               if p.relative_to(ROOT).parts[0].removesuffix(".py") in ROOMS)


def imported(path: Path) -> set[str]:
    """Full names of the modules that a file imports, `from a import b` as both a and a.b."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            raise AssertionError(f"{path}: a relative import hides where it points")
    return found


def is_method(path: Path) -> bool:
    functions = {n.name for n in ast.parse(path.read_text()).body if isinstance(n, ast.FunctionDef)}
    return {"init", "step", "draw"} <= functions


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_walls(path):
    room = path.relative_to(ROOT).parts[0].removesuffix(".py")
    for name in imported(path):
        if name.partition(".")[0] in ROOMS - {"errors"}:
            assert any(name == open_ or name.startswith(open_ + ".") or open_.startswith(name + ".")
                       for open_ in MAY[room]), f"{path.name} in {room} may not import {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_only_views_draw(path):
    if path.relative_to(ROOT).parts[0] != "views":
        assert not any(n.split(".")[0] == "matplotlib" for n in imported(path))


def test_methods_do_not_import_methods():
    """Except a twin in a library that wraps its hand-written file."""
    methods = {str(p.relative_to(ROOT).with_suffix("")).replace("/", "."): p
               for p in FILES if p.relative_to(ROOT).parts[0] == "inference" and is_method(p)}
    for name, path in methods.items():
        others = (imported(path) & set(methods)) - {name}
        assert not others or name.endswith(("_pyro", "_pgmpy")), f"{name} imports {others}"


def test_the_walls_can_fail():
    assert "inference.load" in imported(ROOT / "tests" / "test_contract.py")
