"""A method as a transition kernel: started at given latents, moved with the data fixed.

Methods of the family `exact` draw from what they computed and forget the start: the same test fits.
"""

from __future__ import annotations

import sysconfig
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from checks.budget import Spent, overseen, tick
from checks.journal import kept
from checks.kernels.refusal import refused
from checks.problems.problem import Problem, join, take
from errors import InputError
from inference.method import Family, Latents, Method
from models.model import Data, Model

SHOWN = 200  # characters of latents
PIECE = 1.0  # seconds of replicates, one by one, that a check which is killed loses
RARE = 1000  # replicates, of which one may be where no data will ever lead, and the kernel raise
HOUSE = Path(__file__).parents[2]
OURS = ("checks", "commands", "comparison", "crosscheck", "data", "experiments", "inference", "models", "runs", "views")
PLAYED = ("checks/zoo", "checks/right")  # what plays a user's file
LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


class Broken(Exception):
    """The kernel raised, or returned something that is not a sample of the model's latents."""


class Unfit(Broken):
    """What is given has not the form that could be judged."""


@dataclass(frozen=True)
class Kernel:
    """What is judged. Many replicates at once if the module promises it with BATCHED = True, else one by one."""

    method: Method
    options: Mapping[str, object] = field(default_factory=dict)
    rare: list[str] = field(default_factory=list, compare=False)  # where it raised, and what
    moved: list[int] = field(default_factory=list, compare=False)  # replicates, call by call

    @property
    def batched(self) -> bool:
        return bool(getattr(self.method.module, "BATCHED", False))

    def move(self, rng: torch.Generator, problem: Problem, latents: Latents, data: Data, steps: int,
             model: Model | None = None) -> Latents:
        """Every replicate `steps` steps on. `model` stands in for the problem's own."""
        model = problem.model if model is None else model
        n, asked = len(next(iter(latents.values()))), f"{problem.name}, {steps} steps"
        self.moved.append(n)
        if self.batched:
            moved = self._kept(f"{asked}: {n}", rng, lambda: self._batch(rng, model, data, latents, steps))
        else:
            moved = self._one_by_one(asked, rng, problem, model, latents, data, steps)
        moved = {site: x if x.is_floating_point() else x.to(torch.int64) for site, x in moved.items()}
        for site, x in latents.items():
            if moved.keys() != latents.keys() or moved[site].shape != x.shape:
                raise Unfit(f"it returns {described(moved)} where {described(latents)} went in")
            lost = n - int(torch.isfinite(moved[site]).reshape(n, -1).all(1).sum())
            if lost:
                raise Broken(f"it returns {site} with numbers that are not finite in {lost:,} of {n:,} replicates, "
                             f"{steps} steps on: look for a division by zero, or a step too long")
        return moved

    def _kept(self, asked: str, rng: torch.Generator, make: Callable[[], Latents]) -> Latents:
        """With what was raised on the way."""
        raised = len(self.rare)
        moved, self.rare[raised:] = kept(asked, lambda: (make(), self.rare[raised:]), rng)
        return moved

    def _one_by_one(self, asked: str, rng: torch.Generator, problem: Problem, model: Model, latents: Latents,
                    data: Data, steps: int) -> Latents:
        """In pieces, each of as many replicates as PIECE allows."""
        n, pieces, done = len(next(iter(latents.values()))), list[Latents](), 0

        def piece() -> Latents:
            moved, until = list[Latents](), time.monotonic() + PIECE
            while not moved or (done + len(moved) < n and time.monotonic() < until):
                r = done + len(moved)
                one = self._one(rng, model, problem.one(data, r), take(latents, r), steps)
                moved.append({site: x[None] for site, x in one.items()})
            return join(moved)

        while done < n:
            pieces.append(self._kept(f"{asked}: {n} from {done}", rng, piece))
            done += len(next(iter(pieces[-1].values()), range(n)))
        return join(pieces)

    def _batch(self, rng: torch.Generator, model: Model, data: Data, latents: Latents, steps: int) -> Latents:
        """All at once; where that raises, by halves, so that one replicate does not speak for the others."""
        n = len(next(iter(latents.values())))
        if n == 1:
            return self._one(rng, model, data, latents, steps)
        try:
            return self._from(rng, model, data, latents, steps)
        except Broken as error:
            if error.__cause__ is None or refused(error.__cause__, self.method):
                raise
        return join([self._batch(rng, model, take(data, part), take(latents, part), steps)
                     for part in (slice(None, n // 2), slice(n // 2, None))])

    def _one(self, rng: torch.Generator, model: Model, data: Data, latents: Latents, steps: int) -> Latents:
        """One replicate; where it raises, and that is rare, it stays where it is. Errors: Broken where it is not."""
        try:
            return self._from(rng, model, data, latents, steps)
        except Broken as error:
            if error.__cause__ is None or refused(error.__cause__, self.method):
                raise
            self.rare.append(f"{error}; there {values(latents)}")
            if len(self.rare) > max(1, sum(self.moved) // RARE):
                raise
            return latents

    def _from(self, rng: torch.Generator, model: Model, data: Data, latents: Latents, steps: int) -> Latents:
        tick()
        with overseen(), blaming(self.method.name):
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
    """What a kernel raises is a finding about the kernel; what it refuses is a refusal; what our own code raises, with
    nothing of the author's in between, is a fault of ours and stays what it is."""
    try:
        yield
    except (InputError, Broken, Spent):
        raise
    except Exception as error:
        places = frames(error.__traceback__)
        if "author" not in (whose := [owner(file) for file, _ in places]) and whose[-1] == "house":
            raise
        line = f"{places[-1][0].rpartition('/')[2]}, line {places[-1][1]}"
        raise Broken(f"{name} raised {type(error).__name__} ({line}): {error}") from error


def frames(trace: TracebackType | None) -> list[tuple[str, int]]:
    """The file and line of every frame, the last one last."""
    found = []
    while trace:
        found.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    return found


def owner(file: str) -> str:
    """Whose code a file holds: "house", "library" or "author", who may keep theirs beside ours.

    >>> owner(__file__), owner(torch.__file__), owner("mine.py"), owner(str(HOUSE / "mine.py"))
    ('house', 'library', 'author', 'author')
    """
    def under(rooms: Iterable[str]) -> bool:
        return any(Path(file).is_relative_to(HOUSE / room) for room in rooms)

    if under(OURS):
        return "author" if under(PLAYED) else "house"
    return "library" if file.startswith(("<frozen", *LIBRARIES)) else "author"


def values(latents: Latents) -> str:
    """Latents in one line, shortened."""
    said = "; ".join(f"{site} = {' '.join(str(x.detach().cpu().numpy().round(3).tolist()).split())}"
                     for site, x in latents.items())
    return said if len(said) <= SHOWN else f"{said[:SHOWN]}..."


def described(latents: Latents) -> str:
    return ", ".join(f"{site} {tuple(x.shape)}" for site, x in sorted(latents.items()))
