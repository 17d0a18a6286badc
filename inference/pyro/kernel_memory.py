"""What a Pyro kernel remembers between two samples, as tensors and plain values, and put back into a fresh kernel.

Step size, mass matrix, cached gradients, counters: everything in the attributes of the kernel, and of the helpers
that belong to it, that is a tensor, a number, a word, or a dict, list or tuple of those. Functions, models,
transforms and traces are not memory: `setup` makes them again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pyro.infer.mcmc.mcmc_kernel import MCMCKernel
from torch import Tensor

PLAIN = (bool, int, float, str, type(None))
OWN = ("pyro.infer.mcmc.", "pyro.ops.")  # where the helpers of Pyro's kernels live
ATTRIBUTES = "__attributes__"
NOTHING = object()  # not memory


def remember(kernel: MCMCKernel) -> dict[str, Any]:
    """A copy of the kernel's memory; what the kernel does later does not reach it."""
    return _take(kernel, type(kernel).__module__)


def restore(kernel: MCMCKernel, memory: Mapping[str, Any]) -> None:
    """Give a kernel, fresh from `setup`, the memory of another; `memory` itself stays untouched."""
    _give(kernel, memory, type(kernel).__module__)


def refresh(kernel: Any, params: Mapping[str, Tensor]) -> bool:
    """Forget what is kept of the density: it, or the position, has changed since the kernel's last sample.

    False if the kernel does not say how: by `refresh(params)`, or `clear_cache()` as HMC and NUTS.
    """
    if hasattr(kernel, "refresh"):
        kernel.refresh(dict(params))
    elif hasattr(kernel, "clear_cache"):
        kernel.clear_cache()
    elif hasattr(kernel, "_energy_last"):  # RandomWalkKernel
        kernel._energy_last = kernel.potential_fn(dict(params))
    else:
        return False
    return True


def _helper(thing: object, home: str) -> bool:
    if isinstance(thing, type) or not hasattr(thing, "__dict__"):
        return False
    module = type(thing).__module__
    return isinstance(thing, MCMCKernel) or module == home or module.startswith(OWN)


def _take(thing: object, home: str) -> Any:
    if isinstance(thing, Tensor):
        return thing.detach().clone()
    if isinstance(thing, PLAIN):
        return thing
    if isinstance(thing, dict):
        taken = {key: _take(value, home) for key, value in thing.items() if isinstance(key, str | int | tuple)}
        return {key: value for key, value in taken.items() if value is not NOTHING}
    if isinstance(thing, list | tuple):
        items = [_take(item, home) for item in thing]
        if any(item is NOTHING for item in items):
            return NOTHING
        return items if isinstance(thing, list) else tuple(items)
    if _helper(thing, home):
        return {ATTRIBUTES: _take(vars(thing), home)}
    return NOTHING


def _give(now: object, then: object, home: str) -> object:
    """`then` in the shape of `now`: dicts and helpers are changed in place, because others may hold them too."""
    if isinstance(then, Tensor):
        return then.clone()
    if isinstance(then, dict) and ATTRIBUTES in then:
        for name, value in then[ATTRIBUTES].items():
            vars(now)[name] = _give(vars(now).get(name), value, home)
        return now
    if isinstance(then, dict):
        into = now if isinstance(now, dict) else {}
        for key in [k for k, value in into.items() if k not in then and _take(value, home) is not NOTHING]:
            del into[key]
        for key, value in then.items():
            into[key] = _give(into.get(key), value, home)
        return into
    if isinstance(then, list | tuple):
        like = list(now) if isinstance(now, list | tuple) else []
        items = [_give(like[n] if n < len(like) else None, item, home) for n, item in enumerate(then)]
        if hasattr(now, "_fields"):  # a named tuple
            return type(now)(*items)
        return items if isinstance(then, list) else tuple(items)
    return then


def same_kind(kernel: str, before: Mapping[str, Tensor], after: object) -> str | None:
    """What is wrong with a kernel's sample, in one sentence; None if nothing is."""
    if not isinstance(after, Mapping):
        return f"{kernel}.sample returned a {type(after).__name__}: it must return a dict, site -> tensor"
    for what, names in (("forgets", before.keys() - after.keys()), ("invents", after.keys() - before.keys())):
        if names:
            return (f"{kernel}.sample {what} the site {', '.join(sorted(names))}: it must return a tensor for each of "
                    f"{', '.join(sorted(before))}")
    for site, old in before.items():
        new = after[site]
        if not isinstance(new, Tensor):
            return f"{kernel}.sample returned a {type(new).__name__} for site {site}: it must be a tensor"
        if new.shape != old.shape:
            return (f"{kernel}.sample changed the shape of site {site} from {tuple(old.shape)} to {tuple(new.shape)}: "
                    f"a sample must keep it")
        if new.dtype != old.dtype:
            return f"{kernel}.sample changed the dtype of site {site} from {old.dtype} to {new.dtype}: it must keep it"
        if new.is_floating_point() and not bool(torch.isfinite(new).all()):
            bad = int((~torch.isfinite(new)).sum())
            return f"{kernel}.sample returned NaN or inf at {bad} of {new.numel()} entries of site {site}"
    return None
