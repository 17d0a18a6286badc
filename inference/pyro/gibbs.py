"""Gibbs sampling for any Pyro model, block by block, each block by its own kernel.

    kernel = Gibbs(model, [(NUTS, ["scale", "slope"]),              # a Pyro kernel's class, or a function that makes it
                           (partial(HMC, num_steps=4), ["shape"]),
                           (draw_sigma2, ["sigma2"])])              # def draw_sigma2(values, *args) -> {"sigma2": ...}
    MCMC(kernel, num_samples=500).run(data)

A kernel's block runs on the model with every other site held at its present value; what it had cached of the
density is forgotten before each of its samples, since the other blocks have moved. A conditional (a plain function)
gets the values of all sites and the model's arguments, and returns a draw of its own sites given the rest.
Every block leaves the posterior alone, and so does doing them in turn (Geman and Geman 1984).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyro.poutine as poutine
import torch
from pyro.infer.mcmc.mcmc_kernel import MCMCKernel
from torch import Tensor
from torch.distributions import Transform, biject_to

from errors import InputError, unknown
from inference.pyro.kernel_memory import refresh, same_kind

Values = dict[str, Tensor]
Site = Any  # what a trace of Pyro's has of one
Block = tuple[Callable[..., Any], Sequence[str]]


class Gibbs(MCMCKernel):
    """One sample moves every block once, in the order given. Parameters are unconstrained, as in Pyro's own kernels."""

    def __init__(self, model: Callable[..., Any], blocks: Sequence[Block]) -> None:
        self.model = model
        self.blocks = [(how, list(sites)) for how, sites in blocks]
        self.kernels: list[MCMCKernel | None] = []  # None: a conditional
        self.transforms: dict[str, Transform] | None = None  # MCMC reads them after setup
        self.values: Values = {}  # of all sites, constrained; the conditioned models look here
        self._start: Values | None = None
        self._initial: Values | None = None
        self._saved: list[str] | None = None

    def setup(self, warmup_steps: int, *args: object, **kwargs: object) -> None:
        self._arguments = args, kwargs
        sites = _latent_sites(self.model, args, kwargs)
        self._check_blocks(sites)
        for name in self._saved or ():
            if name not in sites:
                raise unknown("name in save_params", name, sites)
        transforms = {name: self._transform(name, site) for name, site in sites.items()}
        self.transforms = {name: transform for name, transform in transforms.items() if transform is not None}
        start = self._start
        self.values.clear()
        self.values.update({name: site["value"].detach() for name, site in sites.items()} if start is None else
                           {name: self._constrained(name, start[name]) for name in sites})
        self.kernels = [self._kernel(how, mine, warmup_steps) for how, mine in self.blocks]
        self._initial = {name: self._free(name, self.values[name]) for name in sites}

    def sample(self, params: Values) -> Values:
        self.values.update({name: self._constrained(name, x) for name, x in params.items()})
        for (how, mine), kernel in zip(self.blocks, self.kernels, strict=True):
            before = {name: self._free(name, self.values[name]) for name in mine}
            if kernel is None:
                drawn = how(dict(self.values), *self._arguments[0], **self._arguments[1])
                _refuse(same_kind(_name(how), {name: self.values[name] for name in mine}, drawn))
                self.values.update(drawn)
                continue
            refresh(kernel, before)
            after = kernel.sample(before)
            _refuse(same_kind(_name(kernel), before, after))
            self.values.update({name: self._constrained(name, x.detach()) for name, x in after.items()})
        return {name: self._free(name, x) for name, x in self.values.items()}

    @property
    def initial_params(self) -> Values | None:
        return self._initial

    @initial_params.setter
    def initial_params(self, params: Values) -> None:
        """Unconstrained. For the next chain."""
        self._start = self._initial = dict(params)

    @property
    def save_params(self) -> list[str]:
        if self._saved is None:
            raise AttributeError("save_params")  # so that MCMC takes all of initial_params
        return self._saved

    @save_params.setter
    def save_params(self, names: Sequence[str]) -> None:
        """Sorted, because MCMC cuts its draws up in that order, whatever order it was given."""
        self._saved = sorted(set(names))

    def logging(self) -> OrderedDict[str, str]:
        """What the blocks' kernels say, with the name of the block's first site."""
        said: OrderedDict[str, str] = OrderedDict()
        for (_, mine), kernel in zip(self.blocks, self.kernels, strict=True):
            words: Mapping[str, str] = (kernel.logging() if kernel else None) or {}
            said.update((f"{mine[0]} {what}", text) for what, text in words.items())
        return said

    def diagnostics(self) -> dict[str, Any]:
        return {f"{mine[0]} {what}": value for (_, mine), kernel in zip(self.blocks, self.kernels, strict=True)
                if kernel for what, value in kernel.diagnostics().items()}

    def cleanup(self) -> None:
        """Once or twice a chain. The blocks' kernels are made anew by the next `setup`."""
        self._start = None

    def _kernel(self, how: Callable[..., Any], mine: list[str], warmup_steps: int) -> MCMCKernel | None:
        """The block's kernel on the model with the other sites held; None for a conditional."""
        if not _makes_kernels(how):
            return None
        kernel: Any = how(Held(self.model, self.values, mine))
        first = {name: self._free(name, self.values[name]) for name in mine}
        args, kwargs = self._arguments
        kernel.initial_params = first
        kernel.setup(warmup_steps, *args, **kwargs)
        kernel._initial_params = first  # RandomWalkKernel draws its own
        return kernel

    def _check_blocks(self, sites: Mapping[str, Site]) -> None:
        claimed = [name for _, mine in self.blocks for name in mine]
        for name in claimed:
            if name not in sites:
                raise InputError(f"a block of Gibbs names the site {name}: the model's latent sites are "
                                 f"{', '.join(sites)}")
            if claimed.count(name) > 1:
                raise InputError(f"the site {name} is in two blocks of Gibbs: it must be in one")
        for name in sites:
            if name not in claimed:
                raise InputError(f"no block of Gibbs moves the site {name}: add it to one, or give it one of its own")

    def _transform(self, name: str, site: Site) -> Transform | None:
        """To unconstrained space; None where there is no way, and a conditional draws the site, which needs none."""
        try:
            return None if site["fn"].support.is_discrete else biject_to(site["fn"].support).inv
        except NotImplementedError:
            if any(name in mine and _makes_kernels(how) for how, mine in self.blocks):
                raise InputError(f"the site {name} has no transform to unconstrained space, which a kernel needs: "
                                 f"give it a block with a conditional") from None
            return None

    def _free(self, name: str, value: Tensor) -> Tensor:
        transforms = self.transforms or {}
        return transforms[name](value) if name in transforms else value

    def _constrained(self, name: str, value: Tensor) -> Tensor:
        transforms = self.transforms or {}
        return transforms[name].inv(value) if name in transforms else value


class Held:
    """A Pyro model with all sites but `free` held at what `values` says when it is called."""

    def __init__(self, model: Callable[..., Any], values: Values, free: Sequence[str]) -> None:
        self.model, self.values, self.free = model, values, list(free)

    def __call__(self, *args: object, **kwargs: object) -> object:
        held = {name: x for name, x in self.values.items() if name not in self.free}
        return poutine.condition(self.model, data=held)(*args, **kwargs)


def _makes_kernels(how: Callable[..., Any]) -> bool:
    """A kernel class, or a partial of one."""
    inner = getattr(how, "func", how)
    return isinstance(inner, type) and issubclass(inner, MCMCKernel)


def _latent_sites(model: Callable[..., Any], args: tuple[object, ...], kwargs: Mapping[str, object]) -> dict[str, Site]:
    """The sites that are drawn, with one draw from the prior."""
    with poutine.block(), torch.no_grad():
        trace = poutine.trace(model).get_trace(*args, **kwargs)
    found: dict[str, Site] = {}
    site: Site
    for name, site in trace.nodes.items():
        if site["type"] != "sample" or site["is_observed"]:
            continue
        if type(site["fn"]).__name__ == "_Subsample":
            plate = site["fn"]
            if plate.subsample_size is not None and plate.subsample_size < plate.size:
                raise InputError(f"the plate {name} of the model takes a subsample: Gibbs needs all of the data")
            continue
        found[name] = site
    return found


def _name(how: object) -> str:
    how = getattr(how, "func", how)
    return getattr(how, "__name__", type(how).__name__)


def _refuse(fault: str | None) -> None:
    if fault:
        raise InputError(fault)
