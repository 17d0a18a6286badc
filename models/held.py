"""A Pyro program held at values of its latents and its data: log p of every site, of one replicate or of many.

The data are the values of its observed sites. They are put back into the program's arguments where they lie there, so
that what else reads the arguments sees them; where they do not, the site is conditioned on them. Everything is in
float64. Leading axes are replicates, run by `torch.func.vmap` where the program allows it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from pyro import poutine
from pyro.poutine.messenger import Messenger
from torch import Tensor
from torch.distributions import constraints
from torch.utils._pytree import tree_map

from errors import blaming
from models import batched
from models.arguments import Arguments, Place
from models.batched import double, seeded
from models.coordinates import Coordinates
from models.model import Data, Latents
from models.sites import Message, Site, Sites, Started, Unobserved, log_prob
from models.sites import kind as kind_of
from models.survey import survey

AGREE = 1e-8  # relative: log p of a replicate by vmap and alone


class Observed(dict[str, Tensor]):
    """The values of a program's observed sites by name; a dict that a kernel kept alive can be told apart by."""

    __hash__ = object.__hash__  # type: ignore[assignment]


@dataclass(frozen=True, eq=False)
class Held:
    """`model(*arguments)`, Pyro's.

    name, code   of the file, and its fingerprint
    extra        arguments that are data and no site is observed at, as those that a factor takes
    """

    name: str
    model: Callable[..., Any]
    arguments: Arguments
    code: str = ""
    extra: tuple[str, ...] = ()

    @cached_property
    def known(self) -> Sites:
        """Its sites."""
        with seeded(torch.Generator().manual_seed(0)), blaming(f"the model of {self.name}", self.file):
            found = survey(self.model, self.arguments)
        arguments = self.arguments.named(self.model) if self.extra else {}
        more = {name: Site(name, tuple(arguments[name].shape), constraints.real, {}, False, False, None)
                for name in self.extra}
        return replace(found, observed={**found.observed, **more})

    @property
    def file(self) -> str:
        return inspect.getsourcefile(inspect.unwrap(getattr(self.model, "forward", self.model))) or ""

    def blaming(self, method: ModuleType | None = None) -> AbstractContextManager[None]:
        """What is raised in the user's file, or in that of a method of theirs, is said of its line."""
        other = str(method.__file__) if method else self.file
        return blaming(Path(other).name if other != self.file else self.name, self.file, other)

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
    def coordinates(self) -> Coordinates:
        """The continuous latents as numbers without constraints."""
        return Coordinates(self.known.continuous)

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
