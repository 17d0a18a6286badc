"""Any Pyro program of a user's own, as a `Model`: log p(latents, data) by its own sample statements.

The data are the values of its observed sites. They are put back into the program's arguments where they lie there, so
that what else reads the arguments sees them; where they do not, the site is conditioned on them. Everything is in
float64. Leading axes are replicates, run by `torch.func.vmap` where the program allows it.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import torch
from pyro import poutine
from pyro.poutine.messenger import Messenger
from torch import Tensor
from torch.distributions import constraints
from torch.utils._pytree import tree_map

from errors import InputError, blaming, short
from models import batched
from models.arguments import Arguments, Place
from models.batched import double, seeded
from models.coordinates import Coordinates
from models.model import Data, Latents, fingerprint
from models.sites import Message, Site, Sites, Started, Unobserved, log_prob, survey
from models.sites import kind as kind_of

TRIED = 20  # draws of the prior at which log p of data is looked at
AGREE = 1e-8  # relative: log p of a replicate by vmap and alone
TAKEN = ("chain", "draw", "step")  # axes of whatever is saved


class Observed(dict[str, Tensor]):
    """The values of a program's observed sites by name; a dict that a kernel kept alive can be told apart by."""

    __hash__ = object.__hash__  # type: ignore[assignment]


@dataclass(frozen=True, eq=False)
class Program:
    """`model(*arguments)`, Pyro's, and what a user's file says beside it.

    name, code   of the file, and its fingerprint
    shown        other arguments, few, on which kernels are tried: the file's `example()`
    simulator    simulate(rng, latents) -> data by site, or by argument, where the program cannot
    extra        arguments that are data and no site is observed at, as those that a factor takes
    """

    name: str
    model: Callable[..., Any]
    arguments: Arguments
    code: str = ""
    shown: Arguments | None = None
    simulator: Callable[[torch.Generator, Latents], Data] | None = None
    extra: tuple[str, ...] = ()

    kind: ClassVar[str] = "program"
    besides: ClassVar[tuple[str, ...]] = ()
    device: ClassVar[str] = "cpu"

    @cached_property
    def known(self) -> Sites:
        """Its sites."""
        with seeded(torch.Generator().manual_seed(0)), blaming(f"the model of {self.name}", self.file):
            found = survey(self.model, self.arguments)
        arguments = self.arguments.named(self.model) if self.extra else {}
        more = {name: Site(name, tuple(arguments[name].shape), constraints.real, {}, False, False, None)
                for name in self.extra}
        return replace(found, observed={**found.observed, **more})

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

    def blaming(self, method: ModuleType | None = None) -> AbstractContextManager[None]:
        """What is raised in the user's file, or in that of a method of theirs, is said of its line."""
        other = str(method.__file__) if method else self.file
        return blaming(Path(other).name if other != self.file else self.name, self.file, other)

    @property
    def file(self) -> str:
        return inspect.getsourcefile(inspect.unwrap(getattr(self.model, "forward", self.model))) or ""

    @cached_property
    def data(self) -> Data:
        """What it is observed through: the values of its observed sites."""
        observed = self.known.observed
        with seeded(torch.Generator().manual_seed(0)):
            nodes = self._nodes(self.model, self.arguments)
        arguments = self.arguments.named(self.model) if self.extra else {}
        return Observed({name: nodes[name]["value"] if name in nodes else arguments[name] for name in observed})

    @cached_property
    def places(self) -> dict[str, Place]:
        """Where the observed values lie in the arguments, for those that do."""
        found = {name: self.arguments.find(value) for name, value in self.data.items()}
        return {name: place for name, place in found.items() if place}

    @property
    def sites(self) -> dict[str, tuple[int, ...]]:
        return {name: site.shape for name, site in self.known.latent.items()}

    @property
    def labels(self) -> dict[str, int]:
        return {name: site.labels for name, site in self.known.latent.items() if site.labels}

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """Axes are named for the plates; others for the site."""
        found = {name: _axes(site) for name, site in self.known.latent.items()}
        return {f"{group}/{name}": axes for group in ("posterior", "expected") for name, axes in found.items()}

    @property
    def coordinates(self) -> Coordinates:
        """The continuous latents as numbers without constraints."""
        return Coordinates(self.known.continuous)

    @property
    def program(self) -> Program:
        """Itself, as a Pyro program of the data."""
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The user's model: of its own arguments, or of data, whose sites that they lack count for nothing."""
        if not (len(args) == 1 and isinstance(args[0], Observed)):
            with double(), Started():
                return self.model(*args, **kwargs)
        data = args[0]
        given = self.arguments_with(data)
        loose = {name: x for name, x in data.items() if name not in self.places}
        model = poutine.condition(self.model, data=loose) if loose else self.model
        with double(), Started(), Unseen(self.known.observed.keys() - data.keys()):
            return model(*given.args, **given.kwargs)

    def arguments_with(self, data: Data) -> Arguments:
        """The user's arguments with these values of the observed sites in their place."""
        if data is self.data or all(data.get(name) is x for name, x in self.data.items()):
            return self.arguments
        return self.arguments.put({self.places[name]: x for name, x in data.items() if name in self.places})

    def nodes(self, latents: Latents, data: Data) -> dict[str, Message]:
        """The sites of the run at one replicate of the latents and the data."""
        return self._nodes(poutine.condition(functools.partial(self, Observed(data)), data=latents), Arguments())

    def terms(self, latents: Latents, data: Data) -> dict[str, Tensor]:
        """log p of every site given those before it, at one replicate, in nats."""
        return {name: log_prob(site).sum()
                for name, site in self.nodes(latents, data).items() if kind_of(site) not in ("plate", "deterministic")}

    def log_joint(self, latents: Latents, data: Data) -> Tensor:
        """log p(latents, data), every constant included; without what `data` lacks."""
        return self.over(lambda theta, y: torch.stack(list(self.terms(theta, y).values())).sum(), latents, data)

    def quantities(self, latents: Latents) -> dict[str, Tensor]:
        """The latents, and the program's deterministic sites."""
        wanted, known = self.known.deterministic, {name: x.double() for name, x in latents.items()}
        if not wanted:
            return known

        def functions(theta: Latents, y: Data) -> dict[str, Tensor]:
            nodes = self.nodes(theta, y)
            return {name: torch.as_tensor(nodes[name]["value"]).double() for name in wanted}

        return {**known, **self.over(functions, latents, self.data)}

    def over(self, function: Callable[[Latents, Data], Any], latents: Latents, data: Data) -> Any:
        """`function` of one replicate, at all of them; the data may be one for all."""
        lead = self.lead(latents)
        if not lead:
            with seeded(torch.Generator()):
                return function(latents, data)
        flat = {name: x.reshape(-1, *x.shape[len(lead):]) for name, x in latents.items()}
        each = {name: x.reshape(-1, *x.shape[len(lead):]) if self._many(name, x) else x for name, x in data.items()}
        return tree_map(lambda x: x.reshape(*lead, *x.shape[1:]), self.each(function, flat, each))

    def lead(self, latents: Latents) -> tuple[int, ...]:
        """The leading axes of replicates."""
        for name, value in latents.items():
            if name in self.known.latent:
                return tuple(value.shape[: value.ndim - len(self.known.latent[name].shape)])
        return ()

    def each(self, function: Callable[[Any, Data], Any], given: Any, data: Data) -> Any:
        """`function` of one replicate of `given`, whose leading axis they are, and of its data, or of one for all."""
        many = {name: x for name, x in data.items() if self._many(name, x)}
        with seeded(torch.Generator()):
            if not many:
                return batched.over(lambda theta: function(theta, data), [given], self.vectorised)
            return batched.over(lambda theta, own: function(theta, {**data, **own}), [given, many], self.vectorised)

    def _many(self, name: str, value: Tensor) -> bool:
        return value.ndim > len(self.known.observed[name].shape)

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

    @cached_property
    def vectorised(self) -> bool:
        """Whether many replicates can be run at once, and are the same as alone."""
        assert self.known and self.places is not None  # worked out here, for it cannot be under vmap
        try:
            with seeded(torch.Generator().manual_seed(0)), torch.no_grad():
                latents, data = batched.over(self._drawn, [torch.zeros(3)], vectorised=True)
                data |= {name: torch.stack([self.data[name]] * 3) for name in self.extra}

                def log_p(theta: Latents, y: Data) -> Tensor:
                    return torch.stack(list(self.terms(theta, y).values())).sum()

                together, alone = (batched.over(log_p, [latents, data], vectorised=v) for v in (True, False))
        except Exception:  # whatever it is that vmap cannot do
            return False
        return bool(((together - alone).abs() <= AGREE * (1 + alone.abs())).all())

    def _drawn(self, _: Tensor, latents: Latents | None = None) -> tuple[Latents, Data]:
        """One draw of the latents, unless they are given, and of the data."""
        model = poutine.condition(self.model, data=latents) if latents else self.model
        nodes = self._nodes(Unobserved(self.known.observed)(model), self.arguments)
        return tuple({name: torch.as_tensor(nodes[name]["value"]) for name in group}  # type: ignore[return-value]
                     for group in (self.known.latent, [n for n in self.known.observed if n not in self.extra]))

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

    def _nodes(self, model: Callable[..., Any], given: Arguments) -> dict[str, Message]:
        with poutine.block(), Started():
            found = poutine.trace(model).get_trace(*given.args, **given.kwargs).nodes
        return {name: site for name, site in found.items() if site["type"] == "sample"}


class Unseen(Messenger):  # type: ignore[misc]
    """These observed sites count for nothing."""

    def __init__(self, names: Any) -> None:
        super().__init__()
        self.names = names

    def _pyro_sample(self, msg: Message) -> None:
        if msg["name"] in self.names:
            msg["mask"] = False


def _axes(site: Site) -> tuple[str, ...]:
    names = [site.plates.get(k, f"{site.name}_dim_{k}").replace("/", "_") for k in range(len(site.shape))]
    return tuple(f"{name}_axis" if name in TAKEN else name for name in names)
