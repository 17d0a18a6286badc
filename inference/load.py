"""A name, or somebody's own .py file -> a method."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

from errors import InputError, unknown
from inference import from_transition, user_file
from inference.job import Observer
from inference.known import HERE, NEEDED, author, guides, kinds, names
from inference.latents import Keeper
from inference.method import Family, Method, dataclasses_in
from inference.user_file import GUIDE, KERNEL, UserFile

__all__ = ["author", "guides", "in_file", "keeper", "kinds", "method", "names", "of_module", "of_thing", "own",
           "scorer"]

CALLED = {"init": "rng, model, data", "step": "rng, state, model, data", "draw": "rng, state, model",
          "expect": "state, model", "warm": "state", "start": "rng, model, data, latents",
          "preflight": "rng, state, model, data", "transition": "rng, latents, model, data"}  # each with what


def method(kind: str, word: str) -> Method:
    """The method by that name, or in that file. Errors: InputError that says what the file lacks."""
    if user_file.is_file(word):
        return in_file(kind, user_file.read(word))
    known = names(kind)
    if word not in known:
        raise unknown("method", word, known)
    module = importlib.import_module(f"inference.{kind}.{word}")
    if hasattr(module, GUIDE) and not hasattr(module, "step"):
        return from_guide(kind, module, module.guide, word, author(word))
    return of_module(module, word, author(word))


def in_file(kind: str, file: UserFile) -> Method:
    """The method in a user's file: the kernel or guide that they named, else the contract's functions, the only
    kernel, or the only guide. Errors: InputError for a name that is not there, and for several to choose from."""
    return replace(_in_file(kind, file), code=file.code)


def own(kind: str, file: UserFile) -> dict[str, Method]:
    """Everything in a user's file that infers, by its name there; for a kind of model that such a file declares."""
    if not (HERE / kind / "own.py").exists():
        return {}
    found: dict[str, Method] = importlib.import_module(f"inference.{kind}.own").methods(file)
    return {name: replace(each, code=file.code) for name, each in found.items()}


def _in_file(kind: str, file: UserFile) -> Method:
    if theirs := own(kind, file):
        if file.wanted and file.wanted not in theirs:
            raise unknown(f"guide, kernel or transition in {file.path}", file.wanted, theirs)
        if not file.wanted and len(theirs) > 1:
            raise InputError(f"{file.path} holds {', '.join(theirs)}: name one, as in {file.path}:{next(iter(theirs))}")
        return theirs[file.wanted or next(iter(theirs))]
    kernels, guides, module = file.kernels, file.guides, file.module
    found = guides | kernels
    named = file.wanted not in ("", "transition")  # of which a file has one
    if named and file.wanted not in found:
        raise unknown(f"guide or kernel in {file.path}", file.wanted, found) if found else nameless(file)
    if not named and (not found or hasattr(module, "step") or hasattr(module, "transition")):
        return of_module(module, file.name, by="user")
    called = [file.wanted] if named else [name for name in (GUIDE, KERNEL) if name in found] or list(found)
    if len(called) > 1 and GUIDE not in guides:
        raise InputError(f"{file.path} holds {', '.join(found)}: name one, as in {file.path}:{next(iter(found))}")
    chosen = called[0]
    if chosen in kernels:
        return importlib.import_module("inference.pyro.from_kernel").as_method(module, kernels[chosen], file.name,
                                                                               "user")
    return from_guide(kind, module, guides[chosen], file.name, "user")


def nameless(file: UserFile) -> InputError:
    """The error for a name that is not there, in a file that holds nothing with a name of its own."""
    alone = next((f for f in ("transition", "step", "elbo") if hasattr(file.module, f)), None)
    holds = {"transition": "a function `transition`", "step": "the functions of a method", "elbo": "those of a guide"}
    return InputError(f"there is no {file.wanted} in {file.path}: it holds "
                      + (f"{holds[alone]}, which {file.path} alone means" if alone else "no guide and no kernel"))


def of_thing(kind: str, thing: object) -> Method:
    """A transition, a guide or a class of Pyro kernels itself, as a method."""
    return in_file(kind, user_file.held(thing))


def scorer(kind: str) -> Callable[..., Observer]:
    """What scores the draws of a kind of model on data that were held back: Scorer(model, {name: data}, family).

    Errors: InputError where there is nothing of the kind."""
    if not (HERE / kind / "scoring.py").exists():
        raise InputError(f"there is no predictive score for {kinds()[kind]}: leave `score` out")
    return importlib.import_module(f"inference.{kind}.scoring").scorer


def keeper(kind: str) -> Callable[..., Keeper]:
    """What holds on to what predictions need: Keeper(model, data, test data). Errors: InputError where nothing does."""
    if not (HERE / kind / "fitted" / "groups.py").exists():
        raise InputError(f"there are no predictions from fits of {kinds()[kind]}: leave `keep` out")
    return importlib.import_module(f"inference.{kind}.fitted.groups").Holding


def from_guide(kind: str, module: ModuleType, guide: object, name: str, by: str) -> Method:
    """The method that fits a Pyro guide, by what the kind of model has for it."""
    if not (HERE / kind / "guides" / "from_guide.py").exists():
        raise InputError(f"{name} is a guide, and for {kinds()[kind]} there is nothing that fits one")
    return importlib.import_module(f"inference.{kind}.guides.from_guide").as_method(module, guide, name, by)


def of_module(module: ModuleType, name: str, by: str) -> Method:
    """A module that keeps the contract, or holds a `transition`, as a Method. Errors: InputError for what it lacks, and
    for functions that take something else."""
    if by == "user":
        refuse_other_arguments(module, name)
    if hasattr(module, "transition") and not hasattr(module, "step"):
        return from_transition.as_method(module, name, by)
    lacking = [f for f in (*NEEDED, "FAMILY") if not hasattr(module, f)]
    if lacking:
        raise InputError(f"{name} holds nothing to infer with: a function `transition`, `guide` or `kernel`, a class "
                         f"derived from Pyro's MCMCKernel, PyroModule or AutoGuide, or a method, which here lacks "
                         f"{', '.join(lacking)} (see inference/method.py, and examples/)")
    try:
        family = Family(module.FAMILY)
    except ValueError:
        raise unknown(f"FAMILY in {name}", str(module.FAMILY), [f.value for f in Family]) from None
    return Method(name, family, by, module, module.init, module.step, module.draw,
                  getattr(module, "expect", None), getattr(module, "warm", None), getattr(module, "start", None),
                  getattr(module, "preflight", None), states=dataclasses_in(module))


def refuse_other_arguments(module: ModuleType, name: str) -> None:
    alone = "transition" in vars(module) and "step" not in vars(module)  # all else is the author's own affair
    for function, given in CALLED.items():
        there = getattr(module, function, None)
        if inspect.isfunction(there) and alone == (function == "transition"):
            try:
                inspect.signature(there).bind(*given.split(", "))
            except TypeError as error:
                raise InputError(f"{name}: {function} is called as {function}({given}), and here takes "
                                 f"{inspect.signature(there)}: {error}") from None
