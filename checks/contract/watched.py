"""A few steps of a user's file on a small problem, watched: what it returns, what it writes into, what can be saved."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path

import torch
from torch import Tensor

from checks.contract.faults import unlike
from checks.kernels.kernel import Broken, blaming
from errors import InputError
from inference import checkpoint
from inference.method import Family, Latents, Method
from models.model import Data, Model, like

STEPS = 2
PATIENCE = 20  # steps that may pass before something has moved
SEED = 1
WORDS = ("kind", "converged", "oscillating")  # of an Info that are no numbers


def unfit(drawn: object, model: Model) -> list[str]:
    """How a draw differs from the model's latents; labels may come in whatever integers."""
    if isinstance(drawn, dict):
        drawn = {site: x.to(torch.int64) if isinstance(x, Tensor) and not x.is_floating_point() else x
                 for site, x in drawn.items()}
    return unlike(drawn, like(model), model)


class Refused(InputError):
    """The file said itself that it does not take this problem."""


def watch(method: Method, options: Mapping[str, object], model: Model, data: Data, found: list[str]) -> Latents:
    """A draw after a few steps; what is wrong on the way goes to `found`, or is raised where nothing can follow."""
    rng = torch.Generator().manual_seed(SEED)
    with blaming(method.name):
        try:
            state = method.init(rng, model, data, **options)
        except InputError as error:
            raise Refused from error
        if state is not None and not is_dataclass(state):
            raise Broken(f"init returns a {type(state).__name__}: a State is a dataclass, which a checkpoint can keep; "
                         f"write @dataclass(frozen=True) above class State")
        for _ in range(1 if method.family is Family.EXACT else STEPS):
            before = _arrays(state)
            result, now = _step(rng, method, state, model, data), _arrays(state)
            found += [f"step writes into the State's {name}, which it was given: make a new State, as "
                      f"replace(state, ...) does" for name, x in before.items() if not torch.equal(x, now[name])]
            state = result[0]
            drawn = method.draw(rng, state, model)
            wrong = unfit(drawn, model)
            found += _info(result[1]) + wrong
            if wrong:  # the next step would fail of it, and say something else
                return drawn
        found += _saved(method, state) + _logging(state) + _still(rng, method, state, model, data)
        expected = method.expect(state, model) if method.expect else None
        if expected and not all(bool(torch.isfinite(x).all()) for x in expected.values()):
            found.append("expect returns numbers that are not finite: look for a division by zero")
    return drawn


def _step(rng: torch.Generator, method: Method, state: object, model: Model, data: Data) -> tuple[object, object]:
    try:
        result = method.step(rng, state, model, data)
    except InputError as error:
        if _is_pyro(state):  # `from_kernel` says what is wrong with a sample
            raise Broken(str(error)) from None
        raise Refused from error
    if not isinstance(result, tuple) or len(result) != 2:
        raise Broken(f"step returns a {type(result).__name__}: it must return the new State and an Info; "
                     f"write `return state, Info()`")
    return result


def _still(rng: torch.Generator, method: Method, state: object, model: Model, data: Data) -> list[str]:
    """A kernel for a plainer model would hand through what this one learns besides, and sample another."""
    first, still = method.draw(rng, state, model), list(model.besides)
    if method.family is not Family.MCMC:
        return []
    for _ in range(PATIENCE if still else 0):
        state = _step(rng, method, state, model, data)[0]
        drawn = method.draw(rng, state, model)
        still = [site for site in still if torch.equal(first[site], drawn[site])]
    if not still:
        return []
    return [f"{still[0]} never moves, in {PATIENCE} steps, and this model learns it: draw it too, or choose a --model "
            f"without it"]


def _info(info: object) -> list[str]:
    if info is None:
        return []
    if is_dataclass(info) and not isinstance(info, type):
        info = asdict(info)
    if not isinstance(info, dict):
        return [f"step returns a {type(info).__name__} in the place of its Info: write Info(accept=...), or Info()"]
    found = []
    for name, value in info.items():
        try:
            json.dumps(value if value is None or name in WORDS else float(value))
        except (TypeError, ValueError, RuntimeError):
            found.append(f"the Info's {name} is {_what(value)}: it must be one number, as float(x.mean()) is")
    return found


def _saved(method: Method, state: object) -> list[str]:
    """Whether the checkpoint of a long run can be written and read."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            checkpoint.save(Path(folder) / "state.npz", state)
            checkpoint.load(Path(folder) / "state.npz", method.states)
        except TypeError as error:
            return [f"the State cannot be saved, and a run could not be resumed: {error}"]
        except InputError:
            parts = [part for part in (state, *vars(state).values()) if is_dataclass(part)]
            other = next((type(p).__name__ for p in parts if type(p) not in method.states), type(state).__name__)
            return [f"the State is a {other}, which is not defined in the file: define its dataclass there"]
    return []


def _logging(state: object) -> list[str]:
    """What a Pyro kernel says to the progress bar, which pyro.infer.MCMC passes on as JSON."""
    if not _is_pyro(state):
        return []
    from inference.pyro.from_kernel import State, kernel_of

    assert isinstance(state, State)
    if (kernel := kernel_of(state)) is None:
        return []
    try:
        json.dumps(kernel.logging())
    except TypeError as error:
        return [f"{type(kernel).__name__}.logging() cannot be written as JSON ({error}), which pyro.infer.MCMC does: "
                f"return an OrderedDict of words, as f\"{{x:.3g}}\" makes them"]
    return []


def _is_pyro(state: object) -> bool:
    """Whether `inference.pyro.from_kernel` made it; asked without importing Pyro."""
    return type(state).__module__ == "inference.pyro.from_kernel"


def _arrays(state: object) -> dict[str, Tensor]:
    """Copies of the State's tensors by field, those in dicts by site."""
    if state is None:
        return {}
    found: dict[str, Tensor] = {}
    for name, value in vars(state).items():
        parts = value if isinstance(value, dict) else {"": value}
        found |= {f"{name} {site}".strip(): x.clone() for site, x in parts.items() if isinstance(x, Tensor)}
    return found


def _what(value: object) -> str:
    return f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
