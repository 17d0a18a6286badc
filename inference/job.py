"""What the loop runs (`Plan`, `Job`) and all it must remember of it (`Run`), with save and resume."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from errors import InputError
from inference import checkpoint, identity
from inference.latents import Keeper
from inference.method import Family, Latents, Method
from models.model import Data, Model
from ranks.part import WHOLE, Part


@dataclass(frozen=True)
class Plan:
    """How long to run. `steps` includes `warmup`; both count sweeps of every chain."""

    steps: int
    chains: int = 1
    warmup: int = 0
    thin: int = 1  # keep every thin-th draw, fewer if they would not fit in KEPT_BYTES
    draws: int = 100  # from q, for methods that are not MCMC
    tolerance: float = 0.0  # stop when every chain's residual is at most this
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("chains", 1), ("warmup", 0), ("thin", 1), ("draws", 0), ("seed", 0)):
            if not isinstance(getattr(self, name), int):
                raise InputError(f"{name} must be a whole number, not {getattr(self, name)!r}")
            if getattr(self, name) < least:
                raise InputError(f"{name} must be at least {least}, not {getattr(self, name)}")
        if self.warmup >= self.steps:
            raise InputError(f"{self.warmup} warm-up sweeps leave none of the {self.steps} to keep: "
                             f"give more sweeps or less warm-up")


class Observer(Protocol):
    """Somebody who scores every step, beside the method and without touching its randomness.

    memories    the dataclasses that its memory is made of: what a checkpoint is read back into
    """

    @property
    def memories(self) -> tuple[type, ...]: ...

    def start(self) -> Any:
        """An empty memory for one chain: a dataclass of tensors, saved with the chain."""

    def update(self, memory: Any, draw: Callable[[], Latents], warm: bool) -> tuple[Any, Mapping[str, float]]:
        """After a step: the new memory, and numbers for the trace. `draw()` gives a fresh draw of the state."""

    def finish(self, memories: Sequence[Any]) -> Mapping[str, np.ndarray]:
        """After the last step: what the memories of all chains amount to, for `Result.expected`."""

    def facts(self) -> dict[str, Any]:
        """What it scores on, for `Result.facts`: `data`, by set its size and a fingerprint; `samples` of q a score."""


@dataclass
class Run:
    """Everything the loop must remember between two steps."""

    states: list[Any]  # [chain]
    memories: list[Any]  # [chain], the observer's
    generators: dict[str, list[Tensor]]
    trace: list[list[dict[str, float]]]  # [step][chain]
    seconds: list[list[float]]  # [step][chain]
    draws: dict[str, list[Tensor]]  # stacked over chains, one entry a kept draw
    words: dict[str, Any]  # what Info said in words, the latest
    thin: int = 1
    loading: float = 0.0  # seconds, none of them in `seconds`
    latents: list[list[Latents]] = field(default_factory=list)  # [kept draw][chain], where somebody wants them
    apart: int = 1  # one draw in so many has its latents kept

    @property
    def step(self) -> int:
        return len(self.trace)


@dataclass(frozen=True)
class Job:
    """What is run; nothing in it changes. `whole` is what a rank's own part is of, see inference/shards.py."""

    method: Method
    model: Model
    data: Data
    plan: Plan
    options: Mapping[str, Any]
    record: Callable[[Latents], Latents]
    observer: Observer | None
    rngs: list[torch.Generator]  # [chain]
    observer_rngs: list[torch.Generator]
    keeper: Keeper | None = None
    whole: Job | None = None

    @property
    def part(self) -> Part:
        return getattr(self.model, "part", WHOLE)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What its result is of, see `identity.facts`."""
        scored = self.observer.facts() if self.observer else {}
        return identity.facts(self.method, self.model, self.data, asdict(self.plan), self.options, scored)


def save(path: Path, run: Run, job: Job) -> None:
    run.generators = {"method": [rng.get_state() for rng in job.rngs],
                      "observer": [rng.get_state() for rng in job.observer_rngs]}
    values = {f.name: getattr(run, f.name) for f in fields(Run)}
    checkpoint.save(path, {"identity": job.facts["identity"], "run": values})


def resume(path: Path, job: Job, device: torch.device) -> Run:
    classes = (*job.method.states, *(job.observer.memories if job.observer else ()))
    again = f"delete it to start {job.method.name} again"
    try:
        saved = checkpoint.load(path, classes, device)
    except (OSError, InputError) as error:
        raise InputError(f"the checkpoint {path} cannot be read ({error}): {again}") from None
    found = saved if isinstance(saved, dict) else {}
    identity.check(f"the checkpoint {path}", found.get("identity"), job.facts["identity"], again)
    run = found.get("run")
    if not isinstance(run, dict) or not _sound(run, job):
        raise InputError(f"the checkpoint {path} holds no run of {job.method.name}: {again}")
    for role, rngs in (("method", job.rngs), ("observer", job.observer_rngs)):
        for rng, state in zip(rngs, run["generators"][role], strict=True):
            rng.set_state(state.cpu())
    return Run(**run)


def _sound(run: dict[str, Any], job: Job) -> bool:
    """Whether these are the fields of a Run of that job."""
    chains = len(job.rngs)

    def rows(value: object, kind: type) -> bool:
        return isinstance(value, list) and all(isinstance(row, list) and len(row) == chains
                                               and all(isinstance(one, kind) for one in row) for row in value)

    if run.keys() != {f.name for f in fields(Run)}:
        return False
    states, memories, draws = (run[name] for name in ("states", "memories", "draws"))
    return (
        isinstance(states, list) and len(states) == chains
        and isinstance(memories, list) and len(memories) == (chains if job.observer else 0)
        and isinstance(run["generators"], dict) and all(
            rows([run["generators"].get(role)], Tensor) and all(map(_like, run["generators"][role], rngs))
            for role, rngs in (("method", job.rngs), ("observer", job.observer_rngs)))
        and rows(run["trace"], dict) and rows(run["seconds"], float) and len(run["trace"]) == len(run["seconds"])
        and all(isinstance(v, float) for row in run["trace"] for one in row for v in one.values())
        and isinstance(draws, dict) and all(isinstance(kept, list) and all(isinstance(t, Tensor) for t in kept)
                                            for kept in draws.values())
        and isinstance(run["words"], dict) and isinstance(run["thin"], int) and run["thin"] >= 1
        and isinstance(run["loading"], float) and rows(run["latents"], dict)
        and all(isinstance(t, Tensor) for row in run["latents"] for one in row for t in one.values())
        and isinstance(run["apart"], int) and run["apart"] >= 1)


def lost(job: Job, step: int, kept: int) -> str:
    """What is left where step `step` + 1 did not end, and step `kept` is the last that was saved."""
    where = "before it was done" if job.method.family is Family.EXACT else f"in step {step + 1} of {job.plan.steps}"
    left = f"it goes on from step {kept}, the last that is saved" if kept else (
        "nothing of it is saved, so it begins again")
    return f"{job.method.name} stopped {where}: {left}"


def _like(state: Tensor, rng: torch.Generator) -> bool:
    """Whether it is a state that such a generator can have."""
    own = rng.get_state()
    return state.dtype == own.dtype and state.shape == own.shape


def generator(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """An independent stream for every purpose of one seed.

    >>> torch.equal(*(torch.rand(3, generator=generator(0, "chain/1")) for _ in range(2)))
    True
    """
    digest = hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=8).digest()
    return torch.Generator(device=device).manual_seed(int.from_bytes(digest, "little") >> 1)
