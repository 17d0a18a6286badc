"""Somebody's own .py file: executed once, and what it holds to infer with."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from errors import InputError, last_line

SAID = ("BATCHED", "EXACT")  # what a file may say of its kernel, and a function at hand as an attribute
NEIGHBOURS: dict[ModuleType, list[Path]] = {}  # in the same folder, imported by a user's file when it was executed
GUIDE, KERNEL = "guide", "kernel"  # what a file calls its guide or what makes its kernel, among other functions


@dataclass(frozen=True)
class UserFile:
    """A file and, where `file.py:Name` names one of the things in it, that name."""

    path: Path
    wanted: str
    module: ModuleType
    called: str = ""

    @property
    def code(self) -> str:
        """The fingerprint of the file and of the neighbours that it imports; of a thing at hand, of its source."""
        texts = [path.read_bytes() for path in (self.path, *NEIGHBOURS.get(self.module, ())) if path.is_file()]
        if self.called:
            with suppress(OSError, TypeError):  # typed at a prompt, or an instance
                texts = [inspect.getsource(vars(self.module)[self.wanted or "transition"]).encode()]
        return hashlib.sha256(b"\0".join(texts)).hexdigest()[:12]

    @property
    def name(self) -> str:
        """What its method is called."""
        return self.called or (f"{self.path.stem}_{self.wanted}" if self.wanted else self.path.stem)

    @property
    def kernels(self) -> dict[str, Callable[..., Any]]:
        """What makes a Pyro kernel: the classes derived from MCMCKernel, and a function called `kernel`, or as the user
        says with "kernel" in its name."""
        return {name: thing for name, thing in vars(self.module).items() if self._own(thing)
                and (derived(thing, "MCMCKernel") or (inspect.isfunction(thing) and KERNEL in name
                                                      and name in (KERNEL, self.wanted)))}

    @property
    def guides(self) -> dict[str, Callable[..., Any]]:
        """The Pyro guides that it defines: PyroModule classes, and functions with "guide" in their name, or called as
        the user says."""
        found: dict[str, Callable[..., Any]] = {}
        for name, thing in vars(self.module).items():
            own = self._own(thing) and not name.startswith("_")
            if isinstance(thing, type):
                if own and derived(thing, "PyroModule"):
                    found[name] = thing
            elif callable(thing) and (name in (GUIDE, self.wanted) or (own and GUIDE in name)):
                found[name] = thing
        return found

    def _own(self, thing: object) -> bool:
        return str(getattr(thing, "__module__", None)) == self.module.__name__


def is_file(word: str) -> bool:
    """Whether a word means a file, `file.py` or `file.py:Name`, and not one of our names.

    >>> is_file("mine.py"), is_file("mine.py:Kernel"), is_file("gibbs")
    (True, True, False)
    """
    return word.endswith(".py") or ".py:" in word


def read(word: str) -> UserFile:
    """`file.py`, or `file.py:Name`. Errors: InputError for a file that is not there, or that Python cannot execute."""
    file, colon, wanted = word.partition(".py:")
    path = Path(file + ".py" if colon else file)
    return UserFile(path, wanted, import_file(path))


def held(thing: object) -> UserFile:
    """A kernel or guide that is at hand, from a notebook say, as if it stood in a file: a function whose first argument
    is `rng` is a transition, a class derived from MCMCKernel a kernel, anything else a guide. Errors: InputError for
    what cannot be called."""
    if not callable(thing):
        raise InputError(f"{thing!r} is nothing to infer with: give a method's name, a file, a function "
                         f"transition(rng, latents, model, data), a Pyro guide, or a class of Pyro kernels")
    maker = thing if hasattr(thing, "__name__") else type(thing)
    name = "".join(c for c in maker.__name__ if c.isidentifier())  # a lambda is called <lambda>
    module = ModuleType(str(maker.__module__), thing.__doc__)
    module.__file__ = inspect.getsourcefile(maker) or name
    first = next(iter(inspect.signature(thing).parameters), "")
    moves = first == "rng" and not isinstance(thing, type)
    setattr(module, "transition" if moves else name, thing)
    vars(module).update({word: getattr(thing, word) for word in SAID if hasattr(thing, word)})
    return UserFile(Path(f"{name}.py"), "" if moves else name, module, name)


def import_file(path: Path) -> ModuleType:
    """The module in a user's file, which may import its neighbours; executed once, as long as it does not change."""
    if not path.is_file():
        raise InputError(f"no file {path}: give the path of a .py file that holds a method")
    return _executed(path, hashlib.sha256(path.read_bytes()).hexdigest())


@cache
def _executed(path: Path, digest: str) -> ModuleType:
    import torch  # which listing has no use for

    spec = importlib.util.spec_from_file_location(f"user_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look their annotations up
    before = set(sys.modules)
    sys.path.append(str(path.parent))
    precision = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # of the numbers that a file makes for its functions: all models are in it
    try:
        exec(compile(path.read_bytes(), path, "exec"), vars(module))  # a .pyc may be of a version a second older
    except Exception as error:
        line = error.lineno if isinstance(error, SyntaxError) else last_line(error, path)
        raise InputError(f"{path}, line {line}: {type(error).__name__}: {error}") from error
    finally:
        torch.set_default_dtype(precision)
        sys.path.remove(str(path.parent))
    new = [getattr(sys.modules[name], "__file__", None) for name in sys.modules.keys() - before]
    files = [Path(file) for file in new if file]
    NEIGHBOURS[module] = sorted(file for file in files if file.parent.resolve() == path.parent.resolve())
    return module


def derived(thing: object, base: str) -> bool:
    """Whether it is a class derived from Pyro's class of that name; asked without importing Pyro."""
    return isinstance(thing, type) and any(c.__name__ == base and c.__module__.startswith("pyro.")
                                           for c in thing.__mro__)
