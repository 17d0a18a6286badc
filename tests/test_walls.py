"""Who may import whom: the walls of the house, read from the source.

Imports count wherever they stand: inside functions, under TYPE_CHECKING, and by importlib where the name is written
out (an f-string counts as the folder it begins with).
"""

import ast
import tomllib
from functools import cache
from pathlib import Path

import pytest

from tests.support import ROOT

METHODS = {"inference.grid", "inference.factorization", "inference.program"}
MAY = {
    "errors": set(),
    "files": set(),
    "arrays": set(),
    "room": set(),
    "ranks": set(),
    "models": set(),
    "data": {"models"},
    "inference": {"models"},
    "checks": {"models", "inference"},
    "learning": {"models", "inference"},
    "views": {"inference.result"},
    "runs": {"models.model", "checks.contract", "inference", "views"},
    "comparison": {"inference.result", "inference.diagnostics", "runs", "views"},
    "experiments": {"models", "data", "inference", "learning", "checks", "views", "runs", "comparison"},
    "commands": {"models", "data", "inference", "checks", "views", "runs", "comparison", "experiments"},
    "crosscheck": {"models", "data", "inference", "checks", "views", "runs", "comparison"},
    "playground": {"models", "inference", "checks", "views"},
    "notebooks": {"crosscheck"},
    "run": {"experiments", "commands"},
}
FOR_ALL = ("arrays", "errors", "files", "room", "ranks")
BY_NAME = {"inference.load": METHODS}  # what loads a method by its name


def modules() -> dict[str, Path]:
    """Every module of the house by its full name; a package is its folder's."""
    found = {}
    for room in MAY:
        for path in [ROOT / f"{room}.py", *sorted((ROOT / room).rglob("*.py"))]:
            if path.exists():
                found[".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imported(path: Path) -> set[str]:
    """Modules of the house that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import hides where it points"
            found |= {full if (full := f"{node.module}.{alias.name}") in MODULES else str(node.module)
                      for alias in node.names}
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
            found.add(written_out(node.args[0]))
    return {name for name in found if name in MODULES}


def written_out(word: ast.expr) -> str:
    """The module that a word names, as far as it is written out."""
    if isinstance(word, ast.JoinedStr):
        word = word.values[0]
    return str(word.value).rstrip(".") if isinstance(word, ast.Constant) else ""


@cache
def arrows() -> dict[str, set[str]]:
    return {name: imported(path) - {name} for name, path in MODULES.items()}


def inside(name: str, room: str) -> bool:
    return name == room or name.startswith(room + ".")


@pytest.mark.parametrize("room", MAY)
def test_a_room_imports_only_what_it_may(room):
    through = [f"{name} -> {other}" for name, others in arrows().items() if inside(name, room) for other in others
               if not any(inside(other, may) for may in {room, *MAY[room], *FOR_ALL})]
    assert not through, through


@pytest.mark.parametrize("folder", sorted(METHODS))
def test_a_method_folder_is_entered_by_name_only(folder):
    through = [f"{name} -> {other}" for name, others in arrows().items() for other in others
               if inside(name, "inference") and not inside(name, folder) and inside(other, folder)
               and folder not in BY_NAME.get(name, ())]
    assert not through, through


def test_no_two_files_import_each_other_in_a_circle():
    assert not (found := circle(arrows())), " -> ".join(found)


def circle(arrows: dict[str, set[str]]) -> list[str]:
    """A way from a module back to itself, or nothing."""
    done: set[str] = set()

    def walk(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name):], name]
        if name in done:
            return []
        found = next(filter(None, (walk(other, [*way, name]) for other in sorted(arrows.get(name, ())))), [])
        done.add(name)
        return found

    return next(filter(None, (walk(name, []) for name in arrows)), [])


def test_only_views_draw():
    assert not [name for name, path in MODULES.items() if not inside(name, "views") and "matplotlib" in path.read_text()
                and any(isinstance(n, ast.Import | ast.ImportFrom) and "matplotlib" in ast.unparse(n)
                        for n in ast.walk(ast.parse(path.read_text())))]


def test_methods_do_not_import_methods():
    """Except a twin in a library that wraps its hand-written file."""
    methods = {name for name, path in MODULES.items() if inside(name, "inference") and is_method(path)}
    through = [f"{name} -> {other}" for name in methods for other in arrows()[name] & methods
               if not name.endswith(("_pyro", "_pgmpy"))]
    assert len(methods) > 20 and not through, through


def is_method(path: Path) -> bool:
    """It defines the contract's functions, or imports them from the part that several methods share."""
    body = ast.parse(path.read_text()).body
    functions = {n.name for n in body if isinstance(n, ast.FunctionDef)}
    functions |= {a.name for n in body if isinstance(n, ast.ImportFrom) for a in n.names}
    return {"init", "step", "draw"} <= functions


def test_nothing_below_the_doors_sees_a_namespace():
    doors = {"run"} | {name for name in MODULES if inside(name, "commands")}
    assert not [name for name, path in MODULES.items() if name not in doors and "Namespace" in path.read_text()]


def test_the_walls_can_fail(tmp_path):
    file = tmp_path / "file.py"
    file.write_text("import importlib\nfrom typing import TYPE_CHECKING\n"
                    "if TYPE_CHECKING:\n    from models import grid\n"
                    "def f(kind):\n    from inference.load import method\n"
                    "    importlib.import_module('checks.guides.pyro')\n    importlib.import_module(f'views.{kind}')\n")
    assert imported(file) == {"models.grid", "inference.load", "checks.guides.pyro", "views"}
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_an_installed_house_has_every_file_and_room():
    packed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    single = {path.stem for path in ROOT.glob("*.py")}
    assert set(packed["py-modules"]) == single
    rooms = set(MAY) - single - {"notebooks"}  # lessons are read, not installed
    assert {name.removesuffix("*") for name in packed["packages"]["find"]["include"]} == rooms


def test_no_run_or_test_has_left_a_picture_at_the_top():
    """They get into a commit from there."""
    assert not list(ROOT.glob("*.png"))


def test_no_benchmark_has_the_name_of_a_room():
    """A script's own folder is searched first: bench/ranks.py would be taken for the room."""
    rooms = {p.parent.name for p in ROOT.glob("*/__init__.py")} | {p.stem for p in ROOT.glob("*.py")}
    assert not rooms & {p.stem for p in (ROOT / "bench").glob("*.py")}
