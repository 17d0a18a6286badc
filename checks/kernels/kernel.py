"""A method as a transition kernel: started at given latents, moved with the data fixed.

Methods of the family `exact` draw from what they computed and forget the start: the same test fits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor

from checks.problems.problem import Problem, join, take
from errors import InputError
from inference.method import Family, Latents, Method
from models.model import Data, Model


class Broken(Exception):
    """The kernel raised, or returned something that is not a sample of the model's latents."""


class Astray(Broken):
    """It keeps the contract's form, and what it returns is wrong: numbers that are not finite, or run away."""


@dataclass(frozen=True)
class Kernel:
    """What is judged. Many replicates at once if the module promises it with BATCHED = True, else one by one."""

    method: Method
    options: Mapping[str, object] = field(default_factory=dict)

    @property
    def batched(self) -> bool:
        return bool(getattr(self.method.module, "BATCHED", False))

    def move(self, rng: torch.Generator, problem: Problem, latents: Latents, data: Data, steps: int,
             model: Model | None = None) -> Latents:
        """Every replicate `steps` steps on. `model` stands in for the problem's own."""
        model = problem.model if model is None else model
        n = len(next(iter(latents.values())))
        if self.batched:
            moved = self._from(rng, model, data, latents, steps)
        else:
            moved = join([{site: x[None] for site, x in self._from(
                rng, model, problem.one(data, r), take(latents, r), steps).items()}
                for r in range(n)])
        moved = {site: x if x.is_floating_point() else x.to(torch.int64) for site, x in moved.items()}
        for site, x in latents.items():
            if moved.keys() != latents.keys() or moved[site].shape != x.shape:
                raise Broken(f"it returns {described(moved)} where {described(latents)} went in")
            lost = n - int(torch.isfinite(moved[site]).reshape(n, -1).all(1).sum())
            if lost:
                raise Astray(f"it returns {site} with numbers that are not finite in {lost:,} of {n:,} replicates, "
                             f"{steps} steps on: look for a division by zero, or a step too long")
        return moved

    def _from(self, rng: torch.Generator, model: Model, data: Data, latents: Latents, steps: int) -> Latents:
        with blaming(self.method.name):
            state = self.start(rng, model, data, latents)
            for _ in range(steps):
                state, _ = self.method.step(rng, state, model, data)
            return self.method.draw(rng, state, model)

    def start(self, rng: torch.Generator, model: Model, data: Data, latents: Latents) -> Any:
        """A state at `latents`. Errors: InputError where the method cannot be started there."""
        method = self.method
        if method.family is Family.EXACT:
            return method.init(rng, model, data, **self.options)
        if method.start:
            return method.start(rng, model, data, latents, **self.options)
        state = method.init(rng, model, data, **self.options)
        held = {f.name for f in fields(state)}
        more = [name for name in held - set(latents) if isinstance(getattr(state, name), Tensor)]
        if not held.issuperset(latents) or more:
            raise InputError(
                f"{method.name} cannot be started at given latents: its State holds {', '.join(sorted(held))}; "
                f"give the file a function start(rng, model, data, latents) that returns a State at the latents "
                f"{', '.join(latents)}")
        return replace(state, **latents)


@contextmanager
def blaming(name: str) -> Iterator[None]:
    """What a kernel raises is a finding about the kernel; what it refuses is a refusal."""
    try:
        yield
    except (InputError, Broken, KeyboardInterrupt):
        raise
    except Exception as error:
        trace, line = error.__traceback__, ""
        while trace:
            line = f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}, line {trace.tb_lineno}"
            trace = trace.tb_next
        raise Broken(f"{name} raised {type(error).__name__} ({line}): {error}") from error


def described(latents: Latents) -> str:
    return ", ".join(f"{site} {tuple(x.shape)}" for site, x in sorted(latents.items()))
