"""Does a kernel keep the contract? Each fault of form is a sentence, and then it cannot be judged.

Shapes, dtypes, finite numbers; the same draws from the same seed, whatever the global generators hold and
whatever it was called with before; the global generators and everything it was given left as they were.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass

import numpy as np
import torch
from torch import Tensor

from checks.kernels.kernel import Broken, Kernel, Unfit
from checks.kernels.refusal import refused
from checks.problems.problem import Problem, take
from errors import InputError
from inference import generators
from inference.method import Latents
from models.model import Data, Model

REPLICATES = 6
MANY = 100  # with other data each: a kernel that uses them draws otherwise in one of them
OTHER_DRAWS = ("the same seed gives other draws: it takes random numbers from somewhere else than `rng`, or remembers "
               "earlier calls; give every draw generator=rng and keep what must be remembered in the State")


def faults(rng: torch.Generator, kernel: Kernel, problem: Problem) -> list[str]:
    """What is wrong with how the kernel behaves on a few replicates. Errors: InputError if it refuses the problem."""
    latents, data = problem.joint(rng, REPLICATES)
    seed = int(torch.randint(2**31, (1,), generator=rng))

    def run(among: slice, disturb: int) -> Latents:
        with disturbed(disturb):
            return kernel.move(torch.Generator().manual_seed(seed), problem, take(latents, among), take(data, among), 2)

    given, held = contents((latents, data)), global_state()
    try:
        first = run(slice(None), 0)
    except Broken as error:
        if said := refused(error.__cause__, kernel.method):
            raise said from error
        if error.__cause__ is None and not isinstance(error, Unfit):
            raise  # it draws, and draws no numbers
        raised = error.__cause__ is not None
        return (_of_one_step(kernel, problem, latents, data) if raised else []) or [str(error)]
    found = written(given, (latents, data)) + borrowed(held) + unlike(first, latents, problem.model)
    if first.keys() != latents.keys():
        return found
    half = slice(0, REPLICATES // 2)
    try:
        again, part = run(slice(None), 1), run(half, 1)
        run(slice(REPLICATES // 2, None), 2)
        after_others = run(half, 2)
    except Broken as error:
        return [*found, str(error)]
    if not equal(first, again):
        found.append(OTHER_DRAWS)
    elif not equal(part, after_others):
        found.append("what it returns depends on what it was called with before: it remembers earlier calls")
    return list(dict.fromkeys(found))


def _of_one_step(kernel: Kernel, problem: Problem, latents: Latents, data: Data) -> list[str]:
    """What is wrong with the form of one step's sample, where a second step raises for it."""
    try:
        rng, one = torch.Generator().manual_seed(0), take(latents, 0)
        state = kernel.start(rng, problem.model, problem.one(data, 0), one)
        state, _ = kernel.method.step(rng, state, problem.model, problem.one(data, 0))
        return unlike(kernel.method.draw(rng, state, problem.model), one, problem.model)
    except Exception:  # it is said already
        return []


def blind(kernel: Kernel, problem: Problem, latents: Latents, data: Data) -> list[str]:
    """Whether every replicate moves with another's data as it does with its own, though the log joint differs."""
    latents, own = take(latents, slice(MANY)), take(data, slice(MANY))
    n = len(next(iter(latents.values())))
    other = take(own, torch.arange(n).roll(1))
    if torch.equal(problem.model.log_joint(latents, own), problem.model.log_joint(latents, other)):
        return []
    try:
        first, second = (kernel.move(torch.Generator().manual_seed(0), problem, latents, given, 2)
                         for given in (own, other))
    except (Broken, InputError):
        return []
    if equal(first, latents) or not equal(first, second):
        return []
    return [f"it does not use the data it is given: with other data and the same seed it draws the same; "
            f"{problem.uses}"]


def written(before: dict[str, Tensor], now: object) -> list[str]:
    """What was changed in place, of what it was given."""
    return [f"it writes into {name}, which it was given: work on a copy, as {name.rpartition(' ')[2]}.clone() makes"
            for name, x in contents(now).items() if not torch.equal(before[name], x)]


def borrowed(held: dict[str, object]) -> list[str]:
    return [f"it changes the global random numbers of {name}: every draw needs generator=rng, as in "
            f"torch.randn(shape, generator=rng)" for name, state in global_state().items() if state != held[name]]


def unlike(drawn: object, like: Latents, model: Model) -> list[str]:
    """How a sample of the latents differs from what the model's are: sites, shapes, dtypes, values."""
    if not isinstance(drawn, dict) or not all(isinstance(x, Tensor) for x in drawn.values()):
        return [f"it returns {type(drawn).__name__} for the latents: return a dict, site -> tensor, "
                f"with {', '.join(sorted(like))}"]
    if drawn.keys() != like.keys():
        return [f"it returns {', '.join(sorted(drawn))}; the latents are {', '.join(sorted(like))}: "
                f"return a dict with a tensor for each"]
    found = []
    for site, x in drawn.items():
        if x.shape != like[site].shape:
            found.append(f"it returns {site} of shape {tuple(x.shape)}; the model's is {tuple(like[site].shape)}: "
                         f"keep the shape of model.sites")
        if x.dtype != like[site].dtype:
            found.append(f"it returns {site} as {x.dtype}; it was given {like[site].dtype}: write "
                         f"dtype={like[site].dtype} where the tensor is made")
        if x.is_floating_point() and not bool(torch.isfinite(x).all()):
            found.append(f"it returns {site} with numbers that are not finite: look for a division by zero, or the "
                         f"root or logarithm of a negative number")
        elif not x.is_floating_point() and site in model.labels and (
                int(x.min()) < 0 or int(x.max()) >= model.labels[site]):
            found.append(f"it returns {site} outside 0..{model.labels[site] - 1}: {int(x.min())}..{int(x.max())}")
    return found


def contents(value: object, name: str = "") -> dict[str, Tensor]:
    """Copies of every tensor in latents and data."""
    if value is None:
        return {}
    if isinstance(value, Tensor):
        return {name or "the data": value.clone()}
    if isinstance(value, dict):
        return {k: v.clone() for k, v in value.items()}
    if isinstance(value, tuple):
        return {k: v for part in value for k, v in contents(part).items()}
    assert is_dataclass(value)
    return {f"the data's {f.name}": getattr(value, f.name).clone() for f in fields(value)
            if isinstance(getattr(value, f.name), Tensor)}


def global_state() -> dict[str, object]:
    return {"torch": torch.get_rng_state().numpy().tobytes(), "random": random.getstate(),
            "numpy": np.random.get_state()[1].tobytes()}  # type: ignore[index,union-attr]


@contextmanager
def disturbed(by: int) -> Iterator[None]:
    """Other global generators for a while; 0 leaves them alone."""
    if not by:
        yield
        return
    with generators.handed_back():
        generators.seed(by)  # what a user's kernel may be reading
        yield


def equal(a: Latents, b: Latents) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
