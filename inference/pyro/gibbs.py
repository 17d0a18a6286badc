"""Gibbs sampling for any Pyro model, block by block, each block by its own kernel.

    kernel = Gibbs(model, [(NUTS, ["scale", "slope"]),              # a Pyro kernel, or what makes one
                           (DiscreteGibbs, "label"),                # discrete sites, given all others
                           (draw_sigma2, ["sigma2"]),               # def draw_sigma2(values, *args) -> {"sigma2": ...}
                           (partial(HMC, num_steps=4), None)])      # all other sites
    MCMC(kernel, num_samples=500).run(data)

A kernel's block runs on the model with every other site held at its present value (`held`). A conditional gets the
values of all sites, those of `pyro.deterministic` among them, and the model's arguments, and returns a draw of its own
sites given the rest. Every block leaves the posterior alone, and so does doing them in turn (Geman and Geman 1984).

What a kernel keeps of the density is out of date once the other blocks have moved. So before each of its samples its
method `refresh(params)` is called, else `clear_cache()` (HMC, NUTS), else `setup` again, with no warm-up steps: a
kernel that adapts and keeps nothing says so by `def refresh(self, params): pass`. The log joint is looked at where the
first sweeps end, and then every twentieth; one that is not finite is an InputError that names the site.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pyro.infer.mcmc.mcmc_kernel import MCMCKernel
from torch import Tensor
from torch.distributions import Transform, biject_to

from errors import InputError, unknown
from inference.pyro.blocks import Block, pairs, sites_of
from inference.pyro.discrete_gibbs import DiscreteGibbs
from inference.pyro.held import Held, Survey, Values, first_draw, survey
from inference.pyro.position import Position, has_transform

__all__ = ["Block", "DiscreteGibbs", "Gibbs", "Held"]

LOOKS, EVERY = 10, 20  # the log joint is looked at where the first sweeps end, and then every so many


class Gibbs(MCMCKernel):
    """One sample moves every block once, in the order given.

    Parameters are unconstrained, as in Pyro's own kernels, but for sites whose support changes: those are as they are.
    """

    def __init__(self, model: Callable[..., Any], blocks: Sequence[Block]) -> None:
        self.model = model
        self.blocks = pairs(blocks)
        self.kernels: list[Any] = []  # an MCMCKernel, or None for a conditional
        self.transforms: dict[str, Transform] | None = None  # MCMC reads them after setup
        self.values: Values = {}  # of all sites, constrained; the held models look here
        self._start: Values | None = None
        self._initial: Values | None = None
        self._saved: list[str] | None = None
        self._sweeps = 0

    def setup(self, warmup_steps: int, *args: object, **kwargs: object) -> None:
        self._sweeps = 0
        seen = survey(self.model, args, kwargs)
        self._mine = sites_of(self.blocks, seen.sites)
        for name in self._saved or ():
            if name not in seen.sites:
                raise unknown("name in save_params", name, seen.sites)
        self.transforms = {name: biject_to(site.support).inv for name, site in seen.sites.items()
                           if not site.discrete and not site.moves and has_transform(site.support)}
        self.values.clear()
        self._here = here = Position(self.model, self.values, seen, (args, kwargs))
        if self._start is None:
            self.values.update(first_draw(self.model, seen, args, kwargs))
        else:
            self.values.update(self._given(self._start, seen))
            here.look("at initial_params")
        self._held = [Held(self.model, self.values, mine, seen) for mine in self._mine]
        self.kernels = [here.kernel(how, held, warmup_steps)
                        for (how, _), held in zip(self.blocks, self._held, strict=True)]
        self._initial = {name: self._free(name, self.values[name]) for name in seen.sites}

    def sample(self, params: Values) -> Values:
        self.values.update({name: self._constrained(name, x) for name, x in params.items()})
        for (how, _), held, kernel in zip(self.blocks, self._held, self.kernels, strict=True):
            self.values.update(self._here.draw(how, held.free) if kernel is None else self._here.move(kernel, held))
        self._sweeps += 1
        if self._sweeps <= LOOKS or self._sweeps % EVERY == 0:
            self._here.look("where the blocks of Gibbs left the chain")
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
        for mine, kernel in zip(self._mine, self.kernels, strict=True):
            words: Mapping[str, str] = (kernel.logging() if kernel else None) or {}
            said.update((f"{mine[0]} {what}", text) for what, text in words.items())
        return said

    def diagnostics(self) -> dict[str, Any]:
        """What the blocks' kernels say, and the samples in which any of them diverged, as `az.from_pyro` asks."""
        blocks = zip(self._mine, self.kernels, strict=True)
        found = [(mine[0], kernel.diagnostics()) for mine, kernel in blocks if kernel]
        said = {f"{site} {what}": value for site, words in found for what, value in words.items()}
        return said | {"divergences": sorted({n for _, words in found for n in words.get("divergences", ())})}

    def refresh(self, params: Values) -> None:
        """Nothing to forget, as a block of another Gibbs: its blocks are refreshed one by one."""

    def cleanup(self) -> None:
        """Once or twice a chain. The blocks' kernels are made anew by the next `setup`."""
        self._start = None

    def _given(self, start: Values, seen: Survey) -> Values:
        """The values that `start`, the parameters of every site, stands for."""
        found: Values = {}
        for name, site in seen.sites.items():
            if name not in start:
                raise InputError(f"initial_params lacks the site {name}: it must hold {', '.join(seen.sites)}")
            value = self._constrained(name, start[name])
            if value.shape != site.value.shape:
                raise InputError(f"initial_params of the site {name} make a value of shape {tuple(value.shape)}: it "
                                 f"must be {tuple(site.value.shape)}")
            found[name] = value.to(site.value.dtype) if site.discrete else value
        return found

    def _free(self, name: str, value: Tensor) -> Tensor:
        transforms = self.transforms or {}
        return transforms[name](value) if name in transforms else value

    def _constrained(self, name: str, value: Tensor) -> Tensor:
        transforms = self.transforms or {}
        return transforms[name].inv(value) if name in transforms else value
