"""Any Pyro program of a user's own, as a `Model`: what is drawn from it, and whether that and its data are sound."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from errors import InputError, blaming, short
from models import batched
from models.arguments import Arguments
from models.batched import seeded
from models.held import Held, Observed
from models.model import Data, Latents, fingerprint
from models.sites import Site, Unobserved, log_prob
from models.sites import kind as kind_of

TRIED = 20  # draws of the prior at which log p of data is looked at
TAKEN = ("chain", "draw", "step")  # axes of whatever is saved


@dataclass(frozen=True, eq=False)
class Program(Held):
    """`model(*arguments)`, Pyro's, and what a user's file says beside it.

    shown        other arguments, few, on which kernels are tried: the file's `example()`
    simulator    simulate(rng, latents) -> data by site, or by argument, where the program cannot
    """

    shown: Arguments | None = None
    simulator: Callable[[torch.Generator, Latents], Data] | None = None

    kind: ClassVar[str] = "program"
    besides: ClassVar[tuple[str, ...]] = ()
    device: ClassVar[str] = "cpu"

    def simulating(self) -> Program:
        """With the arguments that `simulate` returns beside the observed sites among the data."""
        if not self.simulator:
            return self
        rng = torch.Generator().manual_seed(0)
        with seeded(rng), blaming(f"simulate of {self.name}", self.file):
            drawn = self.simulator(rng, self.prior(rng))
        if not isinstance(drawn, dict):
            raise InputError(f"simulate of {self.name} returns {type(drawn).__name__}: return a dict, the data by site")
        arguments = self.arguments.named(self.model)
        return replace(self, extra=tuple(name for name in drawn if name not in self.known.observed
                                         and isinstance(arguments.get(name), Tensor)))

    @property
    def labels(self) -> dict[str, int]:
        return {name: site.labels for name, site in self.known.latent.items() if site.labels}

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """Axes are named for the plates; others for the site."""
        found = {name: _axes(site) for name, site in self.known.latent.items()}
        return {f"{group}/{name}": axes for group in ("posterior", "expected") for name, axes in found.items()}

    @property
    def program(self) -> Program:
        """Itself, as a Pyro program of the data."""
        return self

    def joint(self, rng: torch.Generator, count: int) -> tuple[Latents, Data]:
        """Draws of p(latents, data), a leading axis of them. Errors: InputError for a model that cannot simulate."""
        self._can_simulate()
        if self.simulator:
            each = [self._simulated(rng, self.prior(rng)) for _ in range(count)]
            return tuple({name: torch.stack([x[k][name] for x in each]) for name in each[0][k]}  # type: ignore[return-value]
                         for k in range(2))
        with seeded(rng), self.blaming():
            latents, data = batched.over(self._drawn, [torch.zeros(count)], self.vectorised)
        return latents, data

    def gap(self, rng: torch.Generator, count: int) -> float:
        """The largest difference, relative, between log p of draws where they were drawn and at them afterwards."""
        worst = 0.0
        for _ in range(count):
            with seeded(rng), torch.no_grad(), self.blaming():
                nodes = self._nodes(Unobserved(self.known.observed)(self.model), self.arguments)
                drawn = sum(float(log_prob(nodes[name]).sum()) for name in (*self.known.latent, *self.known.observed))
            latents, data = ({name: torch.as_tensor(nodes[name]["value"]) for name in group}
                             for group in (self.known.latent, self.known.observed))
            again = abs(float(self.log_joint(latents, data)) - drawn) / (1 + abs(drawn))
            if math.isnan(again):
                self.not_a_number(rng, latents, data)
            worst = max(worst, again)
        return worst

    def prior(self, rng: torch.Generator) -> Latents:
        with seeded(rng), torch.no_grad(), self.blaming():
            nodes = self._nodes(self.model, self.arguments)
        return {name: torch.as_tensor(nodes[name]["value"]) for name in self.known.latent}

    def draws_of_prior(self, rng: torch.Generator, count: int) -> Latents:
        """A leading axis of them."""
        with seeded(rng), torch.no_grad(), self.blaming():
            found: Latents = batched.over(self._drawn, [torch.zeros(count)], self.vectorised)[0]
        return found

    def replicated(self, rng: torch.Generator, latents: Latents) -> Data:
        """Data drawn given each of many latents, a leading axis of them."""
        with seeded(rng), torch.no_grad(), self.blaming():
            return batched.over(lambda theta: self._drawn(torch.zeros(()), theta)[1], [latents], self.vectorised)

    def somewhere(self, rng: torch.Generator) -> Latents:
        return self.prior(rng)

    def simulate(self, rng: torch.Generator, latents: Latents) -> Data:
        self._can_simulate()
        if self.simulator:
            return self._simulated(rng, latents)[1]
        with seeded(rng), torch.no_grad():
            return Observed(self._drawn(torch.zeros(()), latents)[1])

    def blank(self) -> Data:
        return Observed()

    def check_data(self, data: Data) -> None:
        """Errors: InputError for values of other sites or shapes, that a site cannot have, and where log p is not a
        number, at draws of the prior."""
        self._shaped(data)
        rng = torch.Generator().manual_seed(0)
        for _ in range(TRIED):
            self.not_a_number(rng, self.prior(rng), data)
        with seeded(rng):
            nodes = self.nodes(self.prior(rng), data)
        for name, known in self.known.observed.items():
            if known.moves or name not in data:
                continue
            inside = known.support.check(data[name]) | (log_prob(nodes[name]) == 0)  # masked entries count for nothing
            if not bool(inside.all()):
                at = (~inside).nonzero()[0].tolist()
                raise InputError(f"the data of the site {name}{f' at entry {at}' if at else ''} are "
                                 f"{short(data[name][tuple(at)].tolist())}, which its distribution cannot draw "
                                 f"({known.support}): look at the data, and at the distribution")

    def _shaped(self, data: Data) -> None:
        for name, value in data.items():
            site = self.known.observed.get(name)
            if site is None or tuple(value.shape) != site.shape:
                wanted = ", ".join(f"{n} of shape {s.shape}" for n, s in self.known.observed.items())
                raise InputError(f"{self.name} is observed through {wanted or 'a factor alone'}, not through {name} of "
                                 f"shape {tuple(value.shape)}")

    def not_a_number(self, rng: torch.Generator, latents: Latents, data: Data) -> None:
        """Errors: InputError where log p of a site is NaN, at one replicate."""
        with blaming(f"the model of {self.name}", self.file), seeded(rng):
            for name, site in self.nodes(latents, data).items():
                found = log_prob(site) if kind_of(site) in ("latent", "observed", "factor") else torch.zeros(())
                if bool(found.isnan().any()):
                    at = tuple(int(i) for i in found.isnan().nonzero()[0])
                    value = torch.as_tensor(site["value"])
                    where = "; ".join(f"{n} {short(x.double().round(decimals=4).tolist())}" for n, x in latents.items())
                    raise InputError(f"log p of the site {name} is NaN{f' at entry {list(at)}' if at else ''}, where "
                                     f"its value is {(value[at] if value.ndim else value).tolist()} ({where}): "
                                     f"look at the data and the arguments of its distribution")

    def small(self, rng: torch.Generator) -> tuple[Program, Data]:
        """The file's example, if it has one, and its values."""
        if self.shown is None:
            return self, self.data
        example = replace(self, arguments=self.shown, shown=None)
        return example, example.data

    def facts(self, data: Data) -> dict[str, Any]:
        plain = [*((repr(x), x) for x in self.arguments.args),
                 *((f"{name}={x!r}", x) for name, x in self.arguments.kwargs.items())]
        others = [word for word, x in plain if isinstance(x, int | float | str | bool)]
        said = {"class": "Program", "name": self.name, "code": self.code,
                "sites": {name: list(shape) for name, shape in self.sites.items()},
                "arguments": [fingerprint(self.arguments.everything()), *others]}
        return {"model": said, "data": {"observed": {"values": sum(x.numel() for x in data.values()),
                                                     "fingerprint": fingerprint(data.values())}}}

    def given(self) -> str:
        shapes = ", ".join(f"{name} {shape}" for name, shape in self.sites.items())
        return f"the latents {shapes}, and the model's arguments"

    def _simulated(self, rng: torch.Generator, latents: Latents) -> tuple[Latents, Data]:
        assert self.simulator
        with seeded(rng), blaming(f"simulate of {self.name}", self.file):
            data = self.simulator(rng, latents)
        self._shaped(data)
        if lost := self.known.observed.keys() - data.keys():
            raise InputError(f"simulate of {self.name} returns {', '.join(data)}, and no {', '.join(sorted(lost))}")
        return latents, {name: torch.as_tensor(x) for name, x in data.items()}

    def _can_simulate(self) -> None:
        flat = [name for name, site in self.known.latent.items() if site.flat]
        if flat:
            raise InputError(f"the site {flat[0]} has a flat prior, so there are no draws of the joint to check "
                             f"anything on: give it a proper prior; for inference it may stay flat")
        if self.known.factors and not self.simulator:
            raise InputError(f"the model has the factor {self.known.factors[0]} (pyro.factor), which cannot be "
                             f"simulated: give the file a function simulate(rng, latents) that returns the values of "
                             f"{', '.join(self.known.observed) or 'the arguments that are data'} by name")


def _axes(site: Site) -> tuple[str, ...]:
    names = [site.plates.get(k, f"{site.name}_dim_{k}").replace("/", "_") for k in range(len(site.shape))]
    return tuple(f"{name}_axis" if name in TAKEN else name for name in names)
