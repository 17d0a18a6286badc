"""One method on one model, as the runner takes it; and its trial, before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from checks.contract.preflight import at_size, preflight
from inference import footprint, identity, shards
from inference.finite import arithmetic
from inference.job import Observer, Plan, generator
from inference.latents import Keeper
from inference.method import Latents, Method
from inference.options import typed
from models.model import Data, Model
from ranks import group


@dataclass(frozen=True)
class Task:
    """One method on one model."""

    method: Method
    model: Model
    data: Data
    plan: Plan
    options: Mapping[str, Any] = field(default_factory=dict)
    folder: Path = Path()  # below the run's own
    label: str = ""
    observer: Observer | None = None
    record: Callable[[Latents], Latents] = lambda latents: latents  # what to keep of a draw
    keeper: Keeper | None = None  # for whom all of some draws is kept

    @property
    def identity(self) -> dict[str, str]:
        """What its result depends on, part by part."""
        options, scored = typed(self.method, self.options), self.observer.facts() if self.observer else {}
        return identity.facts(self.method, self.model, self.data, asdict(self.plan), options, scored)["identity"]


def trial(task: Task) -> None:
    """What cannot run is said before anything is written. Errors: InputError of the method, or of its pre-flight."""
    method, model, data = task.method, task.model, task.data
    model.check_data(data)
    footprint.check(method, model, data, task.plan, typed(method, task.options), task.observer)
    preflight(method, task.options, model)
    if group.size() > 1:
        shards.agree(task.identity)
        own = shards.part(method, model, data)
        model, data = model.of(own), data.of(own)  # type: ignore[attr-defined]
    rng = generator(task.plan.seed, "trial", model.device)
    with arithmetic(task, "at the start"):
        state = method.init(rng, model, data, **task.options)
        footprint.check_state(method, model, task.plan, state)
        at_size(method, state, model)
        if method.preflight:
            method.preflight(rng, state, model, data)
