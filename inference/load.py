"""A name, or somebody's own .py file -> a method."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import math
import sys
from pathlib import Path
from types import ModuleType, UnionType
from typing import Any, Literal, get_args, get_origin

from errors import InputError, unknown
from inference import from_transition
from inference.method import Family, Method

HERE = Path(__file__).parent
NEEDED = ("init", "step", "draw")
LIBRARIES = ("pyro", "pgmpy")  # a name's last word, where the method is theirs
KINDS = {float: "a number", int: "a whole number", bool: "yes or no"}  # as a person would say it
GUIDE = "guide"  # what a file calls its guide, if it holds several functions
AUTOMATIC = ("AutoNormal", "AutoMultivariateNormal", "AutoLowRankMultivariateNormal", "AutoDelta")


def names(model: str) -> dict[str, str]:
    """Every method of ours for a model ('grid', 'factorization') and the first line of its docstring.

    Read from the source, so that listing imports no library.
    """
    found = {}
    for path in sorted((HERE / model).glob("*.py")):
        tree = ast.parse(path.read_text())
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        if functions.issuperset(NEEDED) or GUIDE in functions:
            found[path.stem] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return found


def method(model: str, name_or_file: str) -> Method:
    """The method by that name, or in that file. Errors: InputError that says what the file lacks."""
    file, colon, wanted = name_or_file.partition(".py:")
    if name_or_file.endswith(".py") or colon:
        path = Path(file + ".py" if colon else file)
        return in_file(import_file(path), path, wanted)
    if name_or_file.startswith("zoo/"):
        return method(model, str(planted(model, name_or_file.removeprefix("zoo/"))))
    known = names(model)
    if name_or_file not in known:
        raise unknown("method", name_or_file, known)
    return as_method(importlib.import_module(f"inference.{model}.{name_or_file}"), name_or_file, author(name_or_file))


def planted(model: str, name: str) -> Path:
    """The file of a planted mistake: `zoo/stale_u` is a lesson, and never listed."""
    folders = ("grid",) if model == "grid" else ("factorization", "ladder")
    known = {path.stem: path for f in folders for path in (HERE.parent / "checks" / "zoo" / f).glob("[a-z]*.py")}
    if name not in known:
        raise unknown("mistake in the zoo", name, known)
    return known[name]


def guides(model: str = "factorization") -> dict[str, str]:
    """The guides that `--guide` knows by name, and the method that each is: `low_rank` is guide_low_rank_pyro."""
    known = names(model)
    ours = {name.removeprefix("guide_").removesuffix("_pyro"): name for name in known if name.startswith("guide_")}
    theirs = {name: f"svi_auto_pyro:guide={name}" for name in AUTOMATIC if "svi_auto_pyro" in known}
    short = {name.removesuffix("MultivariateNormal"): spec for name, spec in theirs.items() if "LowRank" in name}
    return ours | theirs | short


def in_file(module: ModuleType, path: Path, wanted: str) -> Method:
    """The method in a user's file: the kernel or guide called `wanted`, else the contract's functions, the only
    kernel, or the only guide. Errors: InputError for a name that is not there, and for several to choose from."""
    kernels, guides = kernels_in(module), guides_in(module, wanted)
    found = guides | kernels
    if wanted and wanted not in found:
        raise unknown(f"guide or kernel in {path}", wanted, found or ["none"])
    if not wanted and (not found or hasattr(module, "step") or hasattr(module, "transition")):
        return as_method(module, path.stem, by="user")
    if not wanted and len(found) > 1 and GUIDE not in guides:
        raise InputError(f"{path} holds {', '.join(found)}: name one, as in {path}:{next(iter(found))}")
    chosen = wanted or (GUIDE if GUIDE in guides else next(iter(found)))
    maker = importlib.import_module("inference.from_kernel" if chosen in kernels else "inference.from_guide")
    return maker.as_method(module, found[chosen], f"{path.stem}_{wanted}" if wanted else path.stem, "user")


def kernels_in(module: ModuleType) -> dict[str, type]:
    """The Pyro MCMCKernels that a user's file defines."""
    pyro = sys.modules.get("pyro.infer.mcmc.mcmc_kernel")
    return {} if pyro is None else {name: c for name, c in vars(module).items() if isinstance(c, type) and
                                    issubclass(c, pyro.MCMCKernel) and c.__module__ == module.__name__}


def guides_in(module: ModuleType, wanted: str) -> dict[str, Any]:
    """The Pyro guides that a user's file defines: PyroModule classes, and functions with "guide" in their name, or
    called as the user says."""
    pyro = sys.modules.get("pyro.nn.module")
    if pyro is None:
        return {}
    found = {}
    for name, thing in vars(module).items():
        own = getattr(thing, "__module__", None) == module.__name__ and not name.startswith("_")
        if isinstance(thing, type):
            if own and issubclass(thing, pyro.PyroModule):
                found[name] = thing
        elif callable(thing) and (name in (GUIDE, wanted) or (own and GUIDE in name)):
            found[name] = thing
    return found


def author(name: str) -> str:
    """Who does the inference in a method of ours: "hand", or the library that its name ends with."""
    last = name.rpartition("_")[2]
    return last if last in LIBRARIES else "hand"


def as_method(module: ModuleType, name: str, by: str) -> Method:
    """A module that keeps the contract, or holds a `transition`, as a Method."""
    if hasattr(module, "transition") and not hasattr(module, "step"):
        return from_transition.as_method(module, name, by)
    if hasattr(module, GUIDE) and not hasattr(module, "step"):
        return importlib.import_module("inference.from_guide").as_method(module, module.guide, name, by)
    lacking = [f for f in (*NEEDED, "FAMILY") if not hasattr(module, f)]
    if lacking:
        raise InputError(f"{name} holds nothing to infer with: a function `transition` or `guide`, a class derived "
                         f"from Pyro's MCMCKernel, PyroModule or AutoGuide, or a method, which here lacks "
                         f"{', '.join(lacking)} (see inference/method.py, and examples/)")
    try:
        family = Family(module.FAMILY)
    except ValueError:
        raise unknown(f"FAMILY in {name}", str(module.FAMILY), [f.value for f in Family]) from None
    return Method(name, family, by, module, module.init, module.step, module.draw,
                  getattr(module, "expect", None), getattr(module, "warm", None), getattr(module, "start", None))


def import_file(path: Path) -> ModuleType:
    """The module in a user's file, which may import its neighbours."""
    if not path.is_file():
        raise InputError(f"no file {path}: give the path of a .py file that holds a method")
    spec = importlib.util.spec_from_file_location(f"user_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.append(str(path.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        line = error.lineno if isinstance(error, SyntaxError) else last_line(error, path)
        raise InputError(f"{path}, line {line}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.parent))
    return module


def last_line(error: BaseException, path: Path | str) -> int | str:
    """The line of the file where an exception left it."""
    trace, line = error.__traceback__, "?"
    while trace:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = str(trace.tb_lineno)
        trace = trace.tb_next
    return line


def choices(annotation: Any) -> tuple[Any, ...]:
    """The values a Literal allows, or nothing."""
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def option(method: Method, name: str, value: Any) -> Any:
    """`value`, perhaps a word from the command line, as the type the method's signature asks for."""
    if name not in method.options:
        raise unknown(f"option of {method.name}", name, method.options)
    annotation = method.options[name].annotation
    allowed = choices(annotation)
    if allowed:
        if value not in allowed:
            raise unknown(f"{name} of {method.name}", str(value), map(str, allowed))
        return value
    kinds = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    if value is None or (isinstance(value, str) and value.lower() == "none" and type(None) in kinds):
        return None
    kind = next(k for k in kinds if k is not type(None))
    try:
        if kind is bool and isinstance(value, str):
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[value.lower()]
        typed = kind(value)
    except (ValueError, KeyError, TypeError):
        wanted = KINDS.get(kind, kind.__name__) + (" or none" if type(None) in kinds else "")
        raise InputError(f"option {name} of {method.name} must be {wanted}, not '{value}'") from None
    if isinstance(typed, float) and math.isnan(typed):
        raise InputError(f"option {name} of {method.name} must be a number, not '{value}'")
    return typed
