"""The sites of a user's Pyro program: which are latent, which are observed, and what each needs to be known for.

A site is what `pyro.sample` names. Found by running the program: those that are drawn are latent, those with `obs=`
observed; `pyro.deterministic` and Delta sites are functions of others, and `pyro.factor` is a term of the log joint
that cannot be simulated.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pyro
import torch
from pyro import poutine
from pyro.distributions import Delta, ImproperUniform, Unit
from pyro.distributions.util import scale_and_mask
from pyro.poutine.messenger import Messenger
from torch import Tensor
from torch.distributions import biject_to

from errors import InputError
from models import supports
from models.arguments import Arguments

RUNS = 20  # of the program, whose sites must be the same
Message = Any  # what passes through Pyro's handlers, and what a trace has of a site
Run = Callable[..., Any]


@dataclass(frozen=True)
class Site:
    """A latent or observed site, as the first run had it.

    plates   names of the vectorised plates, by the axis of the value that is theirs
    flat     without a prior: ImproperUniform
    moves    its support changes with the values of other sites
    choices  the values that one entry may have, where these are finitely many
    """

    name: str
    shape: tuple[int, ...]
    support: Any
    plates: Mapping[int, str]
    flat: bool
    moves: bool
    choices: Tensor | None

    @property
    def discrete(self) -> bool:
        return bool(getattr(self.support, "is_discrete", False))

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def labels(self) -> int | None:
        """K where the values are the whole numbers 0..K-1."""
        whole = self.choices is not None and self.choices.ndim == 1 and not self.choices.is_floating_point()
        return len(self.choices) if whole and self.choices is not None else None


@dataclass(frozen=True)
class Sites:
    """Of a program: latent ones and observed ones by name, and the names of the others."""

    latent: Mapping[str, Site]
    observed: Mapping[str, Site]
    deterministic: tuple[str, ...]
    factors: tuple[str, ...]

    @property
    def continuous(self) -> dict[str, Site]:
        return {name: site for name, site in self.latent.items() if not site.discrete}

    @property
    def discrete(self) -> dict[str, Site]:
        return {name: site for name, site in self.latent.items() if site.discrete}


def survey(program: Run, given: Arguments) -> Sites:
    """Of a program called with these arguments, in float64. Errors: InputError for one that no method can run."""
    first = _run(program, given)
    for name, site in first.items():
        if site["type"] == "sample" and not isinstance(site["value"], Tensor | int | float | None):
            raise InputError(f"the site {name} is observed at a value of type {type(site['value']).__name__}: make it "
                             f"a tensor in data(), as torch.as_tensor(...) does")
        missing = torch.as_tensor(site["value"]).isnan() if site["type"] == "sample" else torch.zeros(())
        if bool(missing.any()):
            at = missing.nonzero()[0].tolist()
            raise InputError(f"the value of the site {name} is NaN{f' at entry {at}' if at else ''}: leave out what is "
                             f"missing, or look at the arguments of its distribution")
    _run(program, given, validate=True)
    others = [_run(program, given) for _ in range(RUNS)]
    kinds = {name: kind(site) for name, site in first.items()}
    _the_same(first, others)
    if found := _named(kinds, "param"):
        raise InputError(f"the model has the parameter {found[0]} (pyro.param, or a module's weights): give it a "
                         f"prior by pyro.sample, or its value as an argument")
    if found := _named(kinds, "subsample"):
        raise InputError(f"the plate {found[0]} of the model takes a subsample: leave subsample_size out, so that "
                         f"every run sees all of the data")
    sites = {name: _site(name, first[name], others) for name, k in kinds.items() if k in ("latent", "observed")}
    latent, observed = ({n: s for n, s in sites.items() if kinds[n] == k} for k in ("latent", "observed"))
    for name in (*latent, *_named(kinds, "deterministic")):
        if "/" in name:
            raise InputError(f"the site {name} has a slash in its name, which nothing in a result can have: call it "
                             f"{name.replace('/', '_')}")
    if not latent:
        raise InputError("the model draws nothing: every pyro.sample of it is observed, so there is nothing to infer")
    if not observed and "factor" not in kinds.values():
        raise InputError("the model observes nothing: give one of its pyro.sample the data, as obs=y")
    for name, found in first.items():
        value = found.get("value")
        if isinstance(value, Tensor) and value.device.type != "cpu":
            raise InputError(f"the site {name} is on the device {value.device}: make the data on the CPU")
        if isinstance(value, Tensor) and kinds[name] == "latent" and value.dtype == torch.float32:
            raise InputError(f"the site {name} is drawn in float32, and everything is computed in float64: make the "
                             f"numbers of its prior in float64, or leave out their dtype")
    return Sites(latent, observed, *(tuple(_named(kinds, k)) for k in ("deterministic", "factor")))


def kind(site: Message) -> str:
    """Of a site of a trace: latent, observed, deterministic, factor, plate, subsample, param, or other."""
    if site["type"] != "sample":
        return str(site["type"])
    fn = site["fn"]
    if type(fn).__name__ == "_Subsample":
        return "plate" if fn.subsample_size is None or fn.subsample_size >= fn.size else "subsample"
    core = base(fn)
    if isinstance(core, Unit):
        return "factor"
    if isinstance(core, Delta) or site["infer"].get("_deterministic"):
        return "deterministic"
    return "observed" if site["is_observed"] else "latent"


def base(fn: Any) -> Any:
    """A distribution without what declares, expands or masks its dimensions."""
    while type(fn).__name__ in ("Independent", "MaskedDistribution", "ExpandedDistribution"):
        fn = fn.base_dist
    return fn


def log_prob(site: Message) -> Tensor:
    """log p of a site given those before it, elementwise, in nats; with the scale and the mask of its handlers, which
    fn.log_prob knows nothing of."""
    found = site["fn"].log_prob(site["value"], *site["args"], **site["kwargs"])
    return torch.as_tensor(scale_and_mask(found, site["scale"], site["mask"]))


def unmasked(site: Message) -> Tensor:
    """Which entries of its log p no mask hides, as obs=y under poutine.mask(mask=known)."""
    fn, masks = site["fn"], [site["mask"]]
    masks += [fn._mask] if type(fn).__name__ == "MaskedDistribution" else []
    found = torch.ones(fn.batch_shape, dtype=torch.bool)
    for mask in masks:
        found = found if mask is None else found & torch.as_tensor(mask)
    return found


class Unobserved(Messenger):  # type: ignore[misc]
    """These observed sites are drawn, as if nobody had seen them."""

    def __init__(self, names: Collection[str]) -> None:
        super().__init__()
        self.names = names

    def _pyro_sample(self, msg: Message) -> None:
        if msg["name"] in self.names:
            msg.update(is_observed=False, value=None, done=False)


class Started(Messenger):  # type: ignore[misc]
    """Sites without a prior, which cannot be drawn, are somewhere: T(x), x uniform in (-2, 2), T to their support."""

    def _pyro_sample(self, msg: Message) -> None:
        fn = base(msg["fn"])
        if isinstance(fn, ImproperUniform) and msg["value"] is None:
            to = biject_to(fn.support)
            free = to.inverse_shape(torch.Size((*msg["fn"].batch_shape, *msg["fn"].event_shape)))
            msg.update(value=to(4 * torch.rand(free) - 2), done=True)


def _run(program: Run, given: Arguments, validate: bool = False) -> dict[str, Message]:
    """The sites of one run, in order."""
    with torch.no_grad(), pyro.validation_enabled(validate), poutine.block(), Started():
        found: dict[str, Message] = dict(poutine.trace(program).get_trace(*given.args, **given.kwargs).nodes)
    return {name: site for name, site in found.items() if site["type"] in ("sample", "param")}


def _site(name: str, site: Message, others: list[dict[str, Message]]) -> Site:
    fn, value = site["fn"], torch.as_tensor(site["value"])
    batch = value.ndim - fn.event_dim
    plates = {batch + f.dim: f.name for f in site["cond_indep_stack"] if f.vectorized and batch + f.dim >= 0}
    support = supports.of(fn)
    return Site(name, tuple(value.shape), support, plates, isinstance(base(fn), ImproperUniform),
                any(not supports.same(support, supports.of(other[name]["fn"])) for other in others), _choices(fn))


def _choices(fn: Any) -> Tensor | None:
    """The values of one entry, (K, *event)."""
    if not getattr(fn, "has_enumerate_support", False) or not getattr(supports.of(fn), "is_discrete", False):
        return None
    try:
        found: Tensor = fn.enumerate_support(expand=False)
    except NotImplementedError:  # as many as other sites say
        return None
    return found.reshape(len(found), *found.shape[found.ndim - fn.event_dim:])


def _the_same(first: dict[str, Message], others: list[dict[str, Message]]) -> None:
    """Errors: InputError for sites that change from run to run."""
    for other in others:
        for name in first.keys() ^ other.keys():
            raise InputError(f"the model has the site {name} in some runs and not in others: draw the same sites in "
                             f"every run, and use {name} only where it has a say")
        for name, site in first.items():
            shapes = [tuple(torch.as_tensor(s["value"]).shape) for s in (site, other[name])]
            if shapes[0] != shapes[1]:
                raise InputError(f"the site {name} has the shape {shapes[0]} in one run of the model and {shapes[1]} "
                                 f"in another: give it one shape")


def _named(kinds: Mapping[str, str], wanted: str) -> list[str]:
    return [name for name, found in kinds.items() if found == wanted]


def families(names: Collection[str]) -> dict[str, list[str]]:
    """Sites written in a loop, as x0, x1, x2 or x_0, x_1, x_2: by their stem, three or more.

    >>> families(["x0", "x1", "mu", "x2", "y1"])
    {'x': ['x0', 'x1', 'x2']}
    """
    found: dict[str, list[str]] = {}
    for name in names:
        if loop := re.fullmatch(r"(.*?)_?\d+", name):
            found.setdefault(loop[1], []).append(name)
    return {stem: of for stem, of in found.items() if len(of) > 2}


def stems(names: Collection[str]) -> dict[str, str]:
    """Each site's name, or that of its family.

    >>> stems(["x0", "x1", "mu", "x2"])
    {'x0': 'x', 'x1': 'x', 'mu': 'mu', 'x2': 'x'}
    """
    return {name: name for name in names} | {name: stem for stem, of in families(names).items() for name in of}
