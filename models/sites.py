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

import torch
from pyro.distributions import Delta, ImproperUniform, Unit
from pyro.distributions.util import scale_and_mask
from pyro.poutine.messenger import Messenger
from torch import Tensor
from torch.distributions import biject_to

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


def batch_shape(site: Message) -> torch.Size:
    """Of its value, or of its distribution where that has more entries."""
    fn, value = site["fn"], torch.as_tensor(site["value"])
    return torch.broadcast_shapes(fn.batch_shape, value.shape[: value.ndim - fn.event_dim])


def unmasked(site: Message) -> Tensor:
    """Which entries of its log p no mask hides, as obs=y under poutine.mask(mask=known)."""
    fn, masks = site["fn"], [site["mask"]]
    masks += [fn._mask] if type(fn).__name__ == "MaskedDistribution" else []
    found = torch.ones(batch_shape(site), dtype=torch.bool)
    for mask in masks:
        found = found if mask is None else found & torch.as_tensor(mask)
    return found


class Unobserved(Messenger):  # type: ignore[misc]
    """These observed sites are drawn, as if nobody had seen them: in the shape of their data, as obs=y without a plate
    says too."""

    def __init__(self, sites: Mapping[str, Site]) -> None:
        super().__init__()
        self.sites = sites

    def _pyro_sample(self, msg: Message) -> None:
        if msg["name"] not in self.sites:
            return
        fn, shape = msg["fn"], self.sites[msg["name"]].shape
        batch = shape[: len(shape) - fn.event_dim]
        msg.update(is_observed=False, value=None, done=False, fn=fn if fn.batch_shape == batch else fn.expand(batch))


class Started(Messenger):  # type: ignore[misc]
    """Sites without a prior, which cannot be drawn, are somewhere: T(x), x uniform in (-2, 2), T to their support."""

    def _pyro_sample(self, msg: Message) -> None:
        fn = base(msg["fn"])
        if isinstance(fn, ImproperUniform) and msg["value"] is None:
            to = biject_to(fn.support)
            free = to.inverse_shape(torch.Size((*msg["fn"].batch_shape, *msg["fn"].event_shape)))
            msg.update(value=to(4 * torch.rand(free) - 2), done=True)


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
