"""What is asked about a Pyro program of the user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

from errors import InputError
from experiments.program import defaults
from inference import user_file
from inference.job import Plan
from inference.method import Family, Method
from inference.program import own
from inference.user_file import UserFile
from models.program import Program
from models.program_file import program_of
from runs import options, request
from runs.options import Fit
from runs.request import option

METHODS = "the methods"
MOST_DRAWS = 1_000_000
STEPS = {Family.EXACT: 1, Family.MCMC: 500, Family.VARIATIONAL: 200, Family.POINT: 200}
OTHERS = {"laplace": 1, "importance_sampling": 10, "nuts_pyro": 1000, "random_walk_pyro": 5000}
BURN_IN = 3 / 10  # of the sweeps, unless it is said


@dataclass(frozen=True, kw_only=True)
class Request(request.Request):
    """Which program, by which methods, for how long."""

    problem: ClassVar[str] = "program"
    kind: ClassVar[str] = "program"
    file: str = field(default="")
    method: tuple[str, ...] = option((), "a method by name, or FILE.py:NAME from a file, with options of its own "
                                     "(--list NAME shows them); repeatable (default: exact where it is cheap, a "
                                     "sampler, two guides, and what the file itself holds)",
                                     metavar="NAME|FILE.py[:NAME][:OPTION=VALUE,...]", group=METHODS)
    guide: tuple[str, ...] = option((), "a guide by name (--list), or one of your own from a file; repeatable",
                                    metavar="NAME|FILE.py[:NAME]", group=METHODS)
    kernel: tuple[str, ...] = option((), "a kernel or transition of your own from a file; repeatable",
                                     metavar="FILE.py[:NAME]", group=METHODS)
    sweeps: int | None = option(None, f"steps of each method, burn-in included (default {STEPS[Family.MCMC]} for "
                                f"chains, {OTHERS['nuts_pyro']} for nuts_pyro, {STEPS[Family.VARIATIONAL]} of ten "
                                f"gradients for guides)", group=METHODS)
    chains: int = option(4, "for samplers (default 4)", group=METHODS)
    burn_in: int | None = option(None, "sweeps that are no draws, in which kernels adapt (default 3 in 10)",
                                 group=METHODS)
    draws: int = option(1000, "draws from q and from exact answers (default 1000)", group=METHODS)

    @property
    def title(self) -> str:
        return Path(self.file).name

    @classmethod
    def made(cls, arguments: Mapping[str, Any], argv: Sequence[str], resume: Path | None = None,
             cwd: Path | None = None) -> Self:
        return replace(super().made(arguments, argv, resume, cwd), file=str(arguments["problem"]))

    def __post_init__(self) -> None:
        if not 1 <= self.draws <= MOST_DRAWS:
            raise InputError(f"--draws must lie between 1 and {MOST_DRAWS:,}, not {self.draws:,}")

    @cached_property
    def read(self) -> UserFile:
        """The user's file."""
        return user_file.read(self.file)

    @cached_property
    def program(self) -> Program:
        return program_of(self.read.module, self.read.path.name, self.read.code)

    @property
    def asked(self) -> bool:
        return bool(self.method or self.guide or self.kernel)

    def idle(self) -> dict[str, str]:
        found = super().idle() | {"device": "everything is computed on the CPU", "data_seed": "no data are made"}
        families = {fit.method.family for fit in self.chosen()}
        if Family.MCMC not in families:
            found |= dict.fromkeys(("chains", "burn_in"), "none of the methods is a sampler")
        if families <= {Family.MCMC, Family.POINT}:
            found["draws"] = "none of the methods draws from an answer of its own"
        if families == {Family.EXACT}:
            found["sweeps"] = "an exact method takes one step"
        return found

    def chosen(self) -> list[Fit]:
        """The methods asked for, or the default ones and those of the file, with the options that each takes."""
        fits = [options.parse(self.kind, spec) for spec in (*self.method, *self.kernel)]
        fits += [options.parse_guide(self.kind, spec) for spec in self.guide]
        if not self.asked:
            fits = [options.parse(self.kind, spec) for spec in defaults.methods(self.program)]
            fits += [Fit(replace(method, code=self.read.code), {}) for method in own.methods(self.read).values()]
        fits = [Fit(fit.method, {"warmup": self.plan(fit.method).warmup, **fit.options})
                if "warmup" in fit.method.options else fit for fit in options.distinct(fits)]
        return options.given(fits, options.taken(fits, self.set, "--set "))

    def plan(self, method: Method) -> Plan:
        base = method.name.partition("_warmup")[0]
        steps = STEPS[method.family] if self.sweeps is None else self.sweeps
        steps = OTHERS.get(base, steps) if self.sweeps is None else steps
        if method.family is not Family.MCMC:
            return Plan(1 if method.family is Family.EXACT else steps, draws=self.draws, seed=self.seed)
        warmup = int(BURN_IN * steps) if self.burn_in is None else self.burn_in
        return Plan(steps, self.chains, warmup, seed=self.seed)
