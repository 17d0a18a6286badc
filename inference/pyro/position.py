"""Where a chain of Gibbs is, and one block moved from there, by a kernel on the held model or by a conditional."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pyro import poutine
from torch import Tensor
from torch.distributions import biject_to

from errors import InputError
from inference.pyro.blocks import How, kernel_of, name_of
from inference.pyro.discrete_gibbs import DiscreteGibbs
from inference.pyro.held import FREE, Held, Model, Survey, Values, fault, trace
from inference.pyro.kernel_memory import refresh, same_kind
from models import supports

Arguments = tuple[tuple[object, ...], Mapping[str, object]]


class Position:
    """The values of all sites, constrained; the held models of the blocks look here."""

    def __init__(self, model: Model, values: Values, seen: Survey, arguments: Arguments) -> None:
        self.model, self.values, self.seen, self.arguments = model, values, seen, arguments

    def kernel(self, how: How, held: Held, warmup_steps: int) -> Any:
        """The block's kernel on the held model, set up; None for a conditional."""
        kernel = kernel_of(how, held, self.arguments)
        if kernel is None:
            return None
        for name in held.free:
            site = self.seen.sites[name]
            if not isinstance(kernel, DiscreteGibbs) and not site.discrete and not has_transform(site.support):
                raise InputError(f"the site {name} has no transform to unconstrained space, which a kernel needs: "
                                 f"give it a block with a conditional")
        args, kwargs = self.arguments
        first = {name + FREE: self.unconstrained(name) for name in held.moving}
        first |= {name: _free(self.seen.sites[name].support, self.values[name])
                  for name in held.free if name not in held.moving}
        kernel.initial_params = first
        kernel.setup(warmup_steps, *args, **kwargs)
        kernel._initial_params = first  # RandomWalkKernel draws its own
        return kernel

    def draw(self, how: Any, mine: list[str]) -> Values:
        """A conditional's sites. Errors: InputError for values that cannot be."""
        args, kwargs = self.arguments
        given = dict(self.values)
        if self.seen.deterministic:
            nodes = self.look(f"where {name_of(how)} is asked").nodes
            given |= {name: nodes[name]["value"] for name in self.seen.deterministic}
        drawn = how(given, *args, **kwargs)
        _refuse(same_kind(name_of(how), {name: self.values[name] for name in mine}, drawn))
        for name in mine:
            site = self.seen.sites[name]
            ok = None if site.moves else supports.inside(site.support, drawn[name])
            if ok is not None and not bool(ok.all()):
                raise InputError(f"{name_of(how)} returned {int((~ok).sum())} of {ok.numel()} values of the site "
                                 f"{name} outside its support, {supports.words(site.support)}")
        if self.seen.moving:
            self.values.update(drawn)
            self.look(f"after {name_of(how)}")
        return {name: drawn[name] for name in mine}

    def move(self, kernel: Any, held: Held) -> Values:
        """One sample of a block's kernel."""
        args, kwargs = self.arguments
        transforms = kernel.transforms or {}
        before = {name + FREE: self.unconstrained(name) for name in held.moving}
        before |= {name: transforms[name](self.values[name]) if name in transforms else self.values[name]
                   for name in held.free if name not in held.moving}
        if not refresh(kernel, before):
            _set_up_anew(kernel, before, args, kwargs)
        after = kernel.sample(before)
        _refuse(same_kind(name_of(kernel), before, after))
        if not held.runs:
            raise InputError(f"{name_of(kernel)} never ran the model that it was given, so it cannot know where the "
                             f"other blocks are: use kernel.model, or give a conditional")
        new = {name: (transforms[name].inv(x) if name in transforms else x).detach() for name, x in after.items()}
        if held.moving:
            with poutine.block():
                nodes = poutine.trace(poutine.condition(held, data=new)).get_trace(*args, **kwargs).nodes
            new = {name: torch.as_tensor(nodes[name]["value"]).detach() for name in held.free}
        return new

    def unconstrained(self, name: str) -> Tensor:
        """The value of a site whose support changes, unconstrained by the support that it has now."""
        fn = self.run().nodes[name]["fn"]
        free: Tensor = biject_to(fn.support).inv(self.values[name])
        return free

    def run(self) -> Any:
        """The model at the present values, with the log_prob of every site."""
        return trace(Held(self.model, self.values, [], self.seen), *self.arguments)

    def look(self, where: str) -> Any:
        found = self.run()
        why = fault(found)
        _refuse(f"{where}, the log joint is not finite: {why}" if why else None)
        return found


def _set_up_anew(kernel: Any, params: Values, args: tuple[object, ...], kwargs: Mapping[str, object]) -> None:
    """For a kernel that does not say how to forget. Errors: InputError for one that would start elsewhere."""
    kernel.initial_params = params
    kernel.setup(0, *args, **kwargs)
    now = kernel.initial_params
    if not isinstance(now, Mapping) or any(not supports.same(x, now.get(name)) for name, x in params.items()):
        name = type(kernel).__name__
        raise InputError(f"{name} may keep what it knew of the density before the other blocks moved, and its setup "
                         f"does not start at initial_params: give it a method refresh(params) that forgets it")


def _free(support: Any, value: Tensor) -> Tensor:
    free: Tensor = biject_to(support).inv(value) if has_transform(support) and not support.is_discrete else value
    return free


def has_transform(support: Any) -> bool:
    """To unconstrained space."""
    try:
        biject_to(support)
    except (NotImplementedError, AttributeError):
        return False
    return True


def _refuse(fault: str | None) -> None:
    if fault:
        raise InputError(fault)
