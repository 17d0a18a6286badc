"""The contract: a method is a module with these functions.

    FAMILY = Family.VARIATIONAL                       # how the loop treats it
    def init(rng, model, data, *, option=default) -> State
    def step(rng, state, model, data) -> tuple[State, Info]      # one sweep, or one pass over the data
    def draw(rng, state, model) -> Latents                       # dict: site name -> tensor
    def expect(state, model) -> Quantities | None                # optional: moments known in closed form
    def warm(state) -> State                                     # optional: warm-up ends; forget its averages
    def start(rng, model, data, latents, *, option=default) -> State     # optional, MCMC: a chain at these latents
    def preflight(rng, state, model, data) -> None               # optional: InputError for what would fail later
    def footprint(model, data, **options) -> int                 # optional: bytes that a chain at work takes
    AT_WORK = 6                                       # optional, instead: times what latents, model and data take
    USERS = ("U",)                                    # optional: what of a State has a row a user (inference/shards.py)

`State` is a small frozen dataclass of tensors (shapes in its annotations) and plain numbers or words.
`rng` is a `torch.Generator` on the model's device and the only source of randomness.
Options are the keyword-only arguments of `init`; what `step` needs of them is kept in the state.
`start` is what `--check` needs; without it a State that holds the sites and words or numbers is enough. What a State
holds beside the sites (a cached log joint, an estimate of the likelihood, hot copies) `start` makes to fit them: a
function of the latents and the data, or a draw given these, which `STARTS_IN_EQUILIBRIUM = True` promises. Drawn
otherwise, a kernel that is right in the long run is off in its first steps, and `--check` cannot tell.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, is_dataclass
from enum import StrEnum
from types import ModuleType
from typing import Any, Concatenate

import torch

from models.model import Data, Latents, Quantities

__all__ = ["Family", "Info", "Kind", "Latents", "Method", "Quantities", "dataclasses_in"]


class Family(StrEnum):
    """What a method's steps are."""

    EXACT = "exact"  # one step, and it is done
    VARIATIONAL = "variational"  # steps improve q; draws come from q at the end
    MCMC = "mcmc"  # every step is a draw
    POINT = "point"  # steps improve one point


class Kind(StrEnum):
    """What a reported log evidence is."""

    EXACT = "exact"
    LOWER = "lower bound"
    UPPER = "upper bound"
    BETHE = "Bethe"
    KIKUCHI = "Kikuchi"
    ESTIMATE = "estimate"


@dataclass(frozen=True)
class Info:
    """What a person would plot of one step. Fields that a method does not know stay None."""

    log_evidence: float | None = None  # nats
    kind: Kind | None = None  # of log_evidence
    log_evidence_se: float | None = None  # its standard error, nats, where it is an estimate
    elbo: float | None = None  # nats; it rises
    objective: float | None = None  # what a point estimate maximises, nats: log likelihood, or log joint
    dual_bound: float | None = None  # nats: no point has an objective above it
    proved: float | None = None  # share of the sites whose value is that of every most probable point
    residual: float | None = None  # largest change of the step; 0 at a fixed point
    accept: float | None = None  # share of proposals accepted
    diverging: float | None = None  # 1 where the path of a step left the energy behind, else 0
    converged: bool | None = None
    oscillating: bool | None = None  # it goes round in circles instead of converging


State = Any  # a method's own, which only its functions look into
M = Any  # the one class of Model that a method is for
Init = Callable[Concatenate[torch.Generator, M, Data, ...], State]
Step = Callable[[torch.Generator, State, M, Data], tuple[State, Info]]
Draw = Callable[[torch.Generator, State, M], Latents]
Expect = Callable[[State, M], Quantities | None]
Warm = Callable[[State], State]
Start = Callable[Concatenate[torch.Generator, M, Data, Latents, ...], State]
Preflight = Callable[[torch.Generator, State, M, Data], None]


@dataclass(frozen=True)
class Method:
    """A method as the loop sees it, from a module of ours or a file of the user's (see `load`).

    states  its State and the dataclasses that this holds: what a checkpoint is read back into
    guide   the Pyro guide that it fits, if it fits one: what `--check` asks
    code    the fingerprint of the user's file that it is in; "" for a method of ours
    """

    name: str
    family: Family
    by: str  # "hand", or the library
    module: ModuleType
    init: Init
    step: Step
    draw: Draw
    expect: Expect | None = None
    warm: Warm | None = None
    start: Start | None = None
    preflight: Preflight | None = None
    states: tuple[type, ...] = ()
    guide: Callable[..., Any] | None = None
    code: str = ""

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.module) or "").partition("\n")[0]

    @property
    def options(self) -> dict[str, inspect.Parameter]:
        """The options a user can set, by name."""
        parameters = inspect.signature(self.init, eval_str=True).parameters.values()
        return {p.name: p for p in parameters if p.kind is p.KEYWORD_ONLY}


def dataclasses_in(module: ModuleType) -> tuple[type, ...]:
    """Those that a module holds, its own and imported."""
    return tuple(c for c in vars(module).values() if isinstance(c, type) and is_dataclass(c))
