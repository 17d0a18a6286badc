"""A program with its discrete sites summed out: what moves continuous sites alone runs on it.

    log p(x, y) = log sum_z p(x, z, y)

x are the continuous sites, z the discrete ones. Pyro runs the program once with every value of z at once, each site's
along an axis of its own, and `models.elimination` adds up; z given x and y is drawn by the same sums backwards. That
the program does with all values at once what it does with one is looked at, factor by factor, at draws of z.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, ClassVar

import pyro
import torch
from pyro import poutine
from pyro.distributions import ImproperUniform
from pyro.infer import config_enumerate
from pyro.util import ignore_jit_warnings
from torch import Tensor

from errors import InputError
from models import batched, elimination, supports
from models.batched import seeded
from models.elimination import Entangled, Factor, Plate
from models.held import Observed
from models.model import Data, Latents
from models.program import Program
from models.sites import Message, Site, Sites, kind, log_prob, stems

DRAWS = 5  # of all sites, at which factors are compared
KEPT = "summed out"  # where a program keeps it
ASKED = re.compile("Boolean value|element")  # what torch says where one number is wanted of many
AGREE = 1e-8  # relative: log p of a site with all values at once and with one


def summed(program: Program, name: str) -> Program:
    """Itself where it has no discrete sites. Errors: InputError where they cannot be summed out for the method `name`.
    """
    if not program.known.discrete:
        return program
    if not program.known.continuous:
        raise InputError(f"{name} is for continuous sites, and every site here is discrete: use enumeration, or "
                         f"composite_gibbs_pyro")
    found = of(program)
    if isinstance(found, str):
        raise InputError(f"{name} is for continuous sites, the discrete ones being summed out, which they cannot be "
                         f"here: {found}; or use composite_gibbs_pyro, which draws them given all others")
    return found


def of(program: Program) -> Summed | str:
    """The program summed out, made once, or why it cannot be."""
    known = vars(program)
    if KEPT not in known:
        found = Summed(**{f.name: getattr(program, f.name) for f in fields(Program)})
        vars(found)["whole"] = program
        known[KEPT] = found.fault() or found
    kept: Summed | str = known[KEPT]
    return kept


def completed(rng: torch.Generator, program: Program, latents: Latents, data: Data) -> Latents:
    """With a draw of the sites that are summed out of the program, if any are."""
    return program.completed(rng, latents, data) if isinstance(program, Summed) else latents


@dataclass(frozen=True, eq=False)
class Summed(Program):
    """Its latents are the program's continuous sites; as a Pyro program these are flat, and log p(x, y) is a factor."""

    whole: ClassVar[Program]  # with all of its sites; set by `of`, for each

    @cached_property
    def known(self) -> Sites:  # type: ignore[override]
        return replace(self.whole.known, latent=self.whole.known.continuous, deterministic=())

    @property
    def data(self) -> Data:  # type: ignore[override]
        return self.whole.data

    @cached_property
    def levels(self) -> int:
        """Axes that plates may have, from the right."""
        with seeded(torch.Generator().manual_seed(0)):
            nodes = self._nodes(self.model, self.arguments)
        return max(len(getattr(site["fn"], "batch_shape", ())) for site in nodes.values())

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        x = {name: pyro.sample(name, Flat(self.whole, site)) for name, site in self.known.latent.items()}
        pyro.factor("summed", self._sum(x, *args, **kwargs)[0])

    def terms(self, latents: Latents, data: Data) -> dict[str, Tensor]:
        return {"summed": self._sum(latents, Observed(data))[0]}

    def rest(self, latents: Latents, data: Data) -> Latents:
        """A draw of the discrete sites given the continuous ones, of one replicate; from torch's generator."""
        _, products, numbers = self._sum(latents, Observed(data))
        drawn = elimination.drawn(products)
        return {name: _valued(site, drawn.get(numbers.get(name, -1)))
                for name, site in self.whole.known.discrete.items()}

    def completed(self, rng: torch.Generator, latents: Latents, data: Data) -> Latents:
        """With a draw of the discrete sites; leading axes are replicates."""
        with seeded(rng), torch.no_grad():
            if not (lead := self.lead(latents)):
                return {**latents, **self.rest(latents, data)}
            assert len(lead) == 1
            return {**latents, **batched.over(lambda x: self.rest(x, data), [latents], self.vectorised)}

    def mean(self, latents: Latents, data: Data, power: int = 1) -> Latents:
        """E z^power of the discrete sites given the continuous ones; a leading axis of replicates."""
        def of_one(x: Latents, y: Data) -> Latents:
            factors, numbers, plates = self._enumerated(x, Observed(y))
            sites = self.whole.known.discrete
            p = elimination.marginals(factors.values(), plates, {
                number: _size(sites[name], self.levels) for name, number in numbers.items()})
            return {name: _mean(site, p.get(numbers.get(name, -1)), power) for name, site in sites.items()}

        return self.over(of_one, latents, data)  # type: ignore[no-any-return]

    def fault(self) -> str | None:
        """Why it cannot be summed out."""
        for name, site in self.whole.known.discrete.items():
            if why := _endless(site):
                return f"the site {name} {why}"
        rng = torch.Generator().manual_seed(0)
        try:
            with torch.no_grad():
                return next((why for _ in range(DRAWS) if (why := self._differs(rng))), None)
        except Entangled:
            return (f"the model uses {named(self.whole)} outside the plate that it is in, or with a site of another "
                    f"plate")
        except Exception as error:  # whatever it is that the model cannot do with many values
            said = str(error).partition("\n")[0]
            why = "it asks for one value" if ASKED.search(said) else f"{type(error).__name__}: {said}"
            return (f"the model does not run with all values of {named(self.whole)} at once ({why}); write "
                    f"torch.where(z > 0, a, b) or means[z] in place of `if` and int(z), pyro.markov(range(n)) for a "
                    f"long loop, and put entries in a pyro.plate")

    def _differs(self, rng: torch.Generator) -> str | None:
        """Which site's density is another one, at a draw of all sites, and why."""
        with seeded(rng):
            nodes = self._nodes(self.whole.model, self.arguments)
            values = {name: torch.as_tensor(nodes[name]["value"]) for name in self.whole.known.latent}
            factors, numbers, _ = self._enumerated(values, Observed(self.data))
            plain = self.whole.nodes(values, self.data)
            at = {numbers[name]: _number(site, values[name], self.levels)
                  for name, site in self.whole.known.discrete.items() if name in numbers}
            for name, factor in factors.items():
                here, there = factor.at(at), self._factor(plain[name]).log_f
                if here.shape != there.shape or not torch.allclose(here, there, AGREE, AGREE):
                    return (f"with all values of {named(self.whole)} at once, log p of the site {name} is another one "
                            f"than with each alone; the model may only index and compute with them entry by entry")
                if bool(factor.log_f.isnan().any()):
                    return (f"log p of the site {name} is NaN at some of the values of {named(self.whole)}, as that of "
                            f"a Binomial of a negative count; let the prior hold no such values, or clamp what they "
                            f"are made into")
            self._sum(values, Observed(self.data))
        return None

    def _sum(self, latents: Latents, *args: Any, **kwargs: Any) -> tuple[Tensor, list[Factor], dict[str, int]]:
        """log p(x, y), the products that it was summed out of, and the discrete sites' numbers."""
        factors, numbers, plates = self._enumerated(latents, *args, **kwargs)
        return *elimination.summed(factors.values(), plates), numbers

    def _enumerated(self, latents: Latents, *args: Any, **kwargs: Any
                    ) -> tuple[dict[str, Factor], dict[str, int], dict[int, frozenset[Plate]]]:
        """One run with all values of the discrete sites: the factors of all sites, and the number and the plates of
        every discrete one."""
        held = {name: x for name, x in latents.items() if name in self.known.latent}
        model = poutine.condition(functools.partial(self.whole, *args, **kwargs), data=held)
        with poutine.block():
            nodes = poutine.trace(poutine.enum(config_enumerate(model), first_available_dim=-1 - self.levels)
                                  ).get_trace().nodes
        counted = {name: site for name, site in nodes.items()
                   if site["type"] == "sample" and kind(site) in ("latent", "observed", "factor")}
        numbers = {name: site["infer"]["_dim_to_id"][site["infer"]["_enumerate_dim"]]
                   for name, site in counted.items() if "_enumerate_dim" in site["infer"]}
        factors = {name: self._factor(site) for name, site in counted.items()}
        return factors, numbers, {n: _plates(counted[name]) for name, n in numbers.items()}

    @ignore_jit_warnings()  # type: ignore[untyped-decorator]
    def _factor(self, site: Message) -> Factor:
        """Its log density; entries that are in no plate are one."""
        log_p, plates = log_prob(site), _plates(site)
        undeclared = [axis for axis in range(-min(self.levels, log_p.ndim), 0)
                      if log_p.shape[axis] > 1 and axis not in {axis for axis, _ in plates}]
        log_p = log_p.sum(undeclared, keepdim=True) if undeclared else log_p
        log_p = log_p[(None,) * max(self.levels - log_p.ndim, 0)]
        values = range(-log_p.ndim, -self.levels)
        apart = tuple(site["infer"]["_dim_to_id"][axis] for axis in values if log_p.shape[axis] > 1)
        return Factor(log_p.squeeze([axis for axis in values if log_p.shape[axis] == 1]), apart, plates)


class Flat(ImproperUniform):  # type: ignore[misc]
    """Of density 1; its draws, where something starts, are the prior's."""

    def __init__(self, program: Program, site: Site) -> None:
        batch = len(site.shape) - site.support.event_dim
        super().__init__(site.support, site.shape[:batch], site.shape[batch:])
        self.program, self.site = program, site.name

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        rng = torch.Generator().manual_seed(int(torch.randint(2**62, ())))
        drawn = self.program.draws_of_prior(rng, math.prod(sample_shape))[self.site]
        return drawn.reshape((*sample_shape, *drawn.shape[1:]))


def _plates(site: Message) -> frozenset[Plate]:
    return frozenset((f.dim, f.name) for f in site["cond_indep_stack"] if f.vectorized)


def _endless(site: Site) -> str | None:
    """Why its values cannot be listed."""
    if site.moves:
        return "has values that change with other sites: give it fixed ones"
    if site.choices is None and isinstance(supports.base(site.support), supports.CHECKED) and site.shape:
        return ("is one event of many entries (to_event): put them in a pyro.plate, so that each has an axis of its "
                "own")
    if site.choices is None:
        return "has values without end, or that cannot be listed: bound it, as a Categorical does"
    batch = len(site.shape) - (site.choices.ndim - 1)
    loose = [axis for axis in range(batch) if axis not in site.plates and site.shape[axis] > 1]
    return "has entries that are in no plate: declare them, `with pyro.plate(...)`" if loose else None


def _number(site: Site, value: Tensor, levels: int) -> Tensor:
    """Which of its choices each entry is, with an axis for each level of plates."""
    assert site.choices is not None
    events = site.choices.ndim - 1
    same = value[None] == site.choices.reshape(len(site.choices), *[1] * (value.ndim - events), *site.choices.shape[1:])
    number = same.reshape(*same.shape[:same.ndim - events], -1).all(-1).double().argmax(0)
    return number[(None,) * (levels - number.ndim)]


def _batch(site: Site) -> tuple[int, ...]:
    """The shape of its entries, each with a choice of its own."""
    assert site.choices is not None
    return site.shape[:len(site.shape) - site.choices.ndim + 1]


def _size(site: Site, levels: int) -> tuple[int, ...]:
    """Of a probability for each choice of each entry, with an axis for each level of plates."""
    assert site.choices is not None
    return (len(site.choices), *[1] * (levels - len(_batch(site))), *_batch(site))


def _mean(site: Site, p: Tensor | None, power: int) -> Tensor:
    """E z^power of every entry, in the site's shape, of the probabilities p; of one choice alone that."""
    assert site.choices is not None
    K, batch, event = len(site.choices), _batch(site), site.choices.shape[1:]
    p = torch.ones(K, *batch) if p is None else p
    values = site.choices.double() ** power
    return (p.reshape(K, *batch, *[1] * len(event)) * values.reshape(K, *[1] * len(batch), *event)).sum(0)


def _valued(site: Site, number: Tensor | None) -> Tensor:
    """The choices of these numbers, in the site's shape; of one choice alone that."""
    assert site.choices is not None
    batch = _batch(site)
    return site.choices[torch.zeros(batch, dtype=torch.int64) if number is None else number.reshape(batch)]


def named(program: Program) -> str:
    """Its discrete sites in a word or a few, those of a loop being one."""
    names = list(dict.fromkeys(stems(list(program.known.discrete)).values()))
    return ", ".join(names[:3]) + " and others" * (len(names) > 3)
