"""`assert_right`: the verdict on a kernel or guide of a user's own, as an assertion in their own tests."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from checks import door
from checks.verdict import Outcome, Verdict
from errors import InputError
from inference.user_file import UserFile


def assert_right(model: Callable[..., Any], example: tuple[Any, ...] | Mapping[str, Any], *,
                 kernel: Callable[..., Any] | None = None, guide: Any = None,
                 simulate: Callable[..., Any] | None = None, budget: float = 60.0, level: float = 1e-3, seed: int = 0
                 ) -> Verdict:
    """The verdict on a kernel or a guide of a Pyro model of one's own, if it is that it is right.

    model     Pyro's; what is observed is written obs=
    example   its arguments, few; the values of the data do not matter
    kernel    transition(latents, *arguments), or kernel(model) -> MCMCKernel; else
    guide     of the model's arguments, or guide(model) -> AutoGuide
    simulate  simulate(rng, latents) -> the data by site, where the model cannot draw them
    budget    processor seconds
    level     the probability that a right one is called wrong

    Errors: AssertionError with the verdict's words for any other verdict, *cannot tell* too; InputError for what
    cannot be judged.
    """
    verdict = _judged(model, example, kernel, guide, simulate, budget=budget, level=level, seed=seed)
    if verdict.outcome is not Outcome.RIGHT:
        more = [str(x) for x in (*verdict.faults, *verdict.findings)][1:4]
        raise AssertionError("\n  ".join([verdict.headline, *more]))
    return verdict


def _judged(model: Callable[..., Any], example: tuple[Any, ...] | Mapping[str, Any],
            kernel: Callable[..., Any] | None, guide: Any, simulate: Callable[..., Any] | None, *, budget: float,
            level: float, seed: int) -> Verdict:
    """The verdict, whose kind the keyword tells and not the name. Errors: InputError for what cannot be judged."""
    from checks.own_model import held  # imports Pyro

    if (kernel is None) == (guide is None):
        raise InputError("one thing is judged: give kernel=, or guide=")
    thing = guide if kernel is None else kernel
    name = _name(thing, "guide" if kernel is None else "")
    module = ModuleType(str(getattr(thing, "__module__", "")), "")
    module.__file__ = inspect.getsourcefile(inspect.unwrap(model)) or name
    vars(module).update({"model": model, "data": lambda: example, name: _placed(thing, module)})
    if simulate:
        vars(module)["simulate"] = simulate
    method, problems = held(UserFile(Path("example.py"), name, module, name), None, module)
    asked = door.found(method, problems=problems)
    return door.judged(asked, door.chosen_options(asked, {}), seed=seed, level=level, budget=budget)


def _name(thing: Any, word: str) -> str:
    """What `inference.program.own` tells its kind by: a kernel that takes `latents` first, or after `rng`, moves."""
    if word:
        return word
    if isinstance(thing, type):
        return "kernel"
    first = next(iter(inspect.signature(thing).parameters), "")
    return "kernel" if first == "model" else "transition"


def _placed(thing: Any, module: ModuleType) -> Any:
    """The thing as one of this module's."""
    def placed(*args: Any, **kwargs: Any) -> Any:
        return thing(*args, **kwargs)

    if isinstance(thing, type) or not hasattr(thing, "__name__"):  # a class, or a PyroModule
        return thing
    placed.__signature__ = inspect.signature(thing)  # type: ignore[attr-defined]
    placed.__module__ = module.__name__
    return placed
