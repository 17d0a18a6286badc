"""What Gibbs is made of: blocks, each a pair of what moves it and the sites that it moves.

    what moves it    a Pyro kernel: its class, a partial of it, a function `model -> kernel`, or a kernel, a copy of
                     which is run; or a conditional, a function `(values, *the model's arguments) -> {site: draw}`
    its sites        names; one name; None for all that no other block has; a function that names them: of the list
                     of all names, or, saying yes or no, of one name
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from pyro.infer import HMC, RandomWalkKernel
from pyro.infer.mcmc.mcmc_kernel import MCMCKernel

from errors import InputError
from inference.generators import handed_back
from inference.pyro.held import Held

How = Callable[..., Any] | MCMCKernel
Sites = Sequence[str] | str | None | Callable[[Any], Any]
Block = tuple[How, Sites]
Kernel = Any  # an MCMCKernel


def sites_of(blocks: Sequence[Block], names: Collection[str]) -> list[list[str]]:
    """The names of each block's sites: every latent site of the model in one block."""
    found = [None if sites is None else _named(sites, list(names)) for _, sites in blocks]
    claimed = [name for sites in found for name in sites or ()]
    for name in claimed:
        if name not in names:
            raise InputError(f"a block of Gibbs names the site {name}: the model's latent sites are {', '.join(names)}")
        if claimed.count(name) > 1:
            raise InputError(f"the site {name} is in two blocks of Gibbs: it must be in one")
    if found.count(None) > 1:
        raise InputError("two blocks of Gibbs have None for their sites, all that no other block has: one may")
    rest = [name for name in names if name not in claimed]
    if rest and None not in found:
        raise InputError(f"no block of Gibbs moves the site {rest[0]}: add it to one, or give it one of its own")
    whole = [rest if sites is None else sites for sites in found]
    for (how, _), sites in zip(blocks, whole, strict=True):
        if not sites:
            raise InputError(f"the block of {name_of(how)} has no site to move: the model's latent sites are "
                             f"{', '.join(names) or 'none'}")
    return whole


def pairs(blocks: Sequence[Block]) -> list[Block]:
    """The blocks, each known to be a pair."""
    for block in blocks:
        if not isinstance(block, tuple | list) or len(block) != 2 or not callable(block[0]):
            raise InputError(f"a block of Gibbs is a pair, what moves it and its sites, as (NUTS, ['scale']) or "
                             f"(NUTS, None), not {block!r:.80}")
    return [(how, sites) for how, sites in blocks]


def kernel_of(how: How, held: Held, arguments: tuple[tuple[Any, ...], Mapping[str, Any]]) -> Kernel | None:
    """The block's kernel on the held model, not yet set up; None for a conditional."""
    if isinstance(how, MCMCKernel):
        kernel = _copied(how, held)
    elif _is_kernel_class(how):
        kernel = how(held)
    else:
        kernel = _asked(how, held, arguments)
    if kernel is not None:
        _check(kernel, held)
    return kernel


def name_of(how: object) -> str:
    how = _inner(how)
    return getattr(how, "__name__", type(how).__name__)


def _named(sites: Any, names: list[str]) -> list[str]:
    if not callable(sites):
        return [sites] if isinstance(sites, str) else list(sites)
    try:
        found = sites(list(names))
    except (TypeError, AttributeError):
        found = None  # it asks for one name
    if isinstance(found, str):
        return [found]
    if found is not None and not isinstance(found, bool):
        return list(found)
    return [name for name in names if sites(name)]


def _inner(how: object) -> object:
    while hasattr(how, "func"):  # a partial of a partial
        how = how.func
    return how


def _is_kernel_class(how: object) -> bool:
    inner = _inner(how)
    return isinstance(inner, type) and issubclass(inner, MCMCKernel)


def _asked(how: Callable[..., Any], held: Held, arguments: tuple[tuple[Any, ...], Mapping[str, Any]]) -> Kernel | None:
    """A kernel where `how` makes one of the model. Only a function that could be either is called to find out."""
    args, kwargs = arguments
    draws, makes = _takes(how, held.values, *args, **kwargs), _takes(how, held)
    if draws and not makes:
        return None
    if not draws and not makes:
        raise InputError(f"{name_of(how)} cannot move a block of Gibbs: a conditional takes the values of all sites "
                         f"and the model's arguments, a function that makes a kernel takes the model")
    with handed_back():
        if draws:
            try:
                found = how(dict(held.values), *args, **kwargs)
            except Exception:
                found = how(held)
            if not isinstance(found, MCMCKernel):
                return None
        found = how(held)
    if not isinstance(found, MCMCKernel):
        raise InputError(f"{name_of(how)} takes the model alone, so it must make a Pyro kernel, and it returned a "
                         f"{type(found).__name__}: a conditional takes the values of all sites and the model's "
                         f"arguments")
    return found


def _takes(how: Callable[..., Any], *args: Any, **kwargs: Any) -> bool:
    try:
        inspect.signature(how).bind(*args, **kwargs)
    except TypeError:
        return False
    except ValueError:  # built in, and says nothing
        return True
    return True


def _copied(kernel: Kernel, held: Held) -> Kernel:
    """A copy that runs on the held model, so that the next chain and the next block start from a kernel not used."""
    name, model = type(kernel).__name__, getattr(kernel, "model", None)
    if getattr(kernel, "potential_fn", None) is not None and model is None:
        raise InputError(f"the {name} of a block of Gibbs is made of a potential_fn, which knows nothing of the other "
                         f"blocks: make it of the model")
    if model is not None and model != held.model:
        raise InputError(f"the {name} of a block of Gibbs runs on another model than Gibbs itself: give its class, or "
                         f"make it of the same model")
    try:
        copied = copy.deepcopy(kernel, {id(model): held} if model is not None else {})
    except Exception as error:
        raise InputError(f"the {name} of a block of Gibbs cannot be copied ({error}): give its class, or a function "
                         f"that makes one of a model") from None
    copied.model = held
    return copied


def _check(kernel: Kernel, held: Held) -> None:
    """Refused: what Pyro's own kernels cannot do in a block."""
    name, seen = type(kernel).__name__, held.seen
    if getattr(kernel, "_jit_compile", False):
        raise InputError(f"{name} with jit_compile keeps the other blocks' values as they were when it was compiled: "
                         f"leave jit_compile out")
    if isinstance(kernel, HMC | RandomWalkKernel):
        for site in held.free:
            if seen.sites[site].discrete:
                raise InputError(f"{name} moves continuous sites, and {site} is discrete: give it a block of its own, "
                                 f"as (DiscreteGibbs, ['{site}'])")
