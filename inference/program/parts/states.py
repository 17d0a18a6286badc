"""Every value that a program's discrete sites can have together, by number."""

from __future__ import annotations

import torch
from torch import Tensor

from errors import InputError
from models.model import Latents
from models.program import Program
from models.sites import Site


def check(model: Program, name: str, largest: int) -> None:
    """Errors: InputError for values without end, and for more than `largest`."""
    for site in model.known.discrete.values():
        if site.choices is None:
            raise InputError(f"{name} lists all values, and those of the site {site.name} have no end: bound it, as "
                             f"a Categorical does, or use a transition of your own")
    if count(model) > largest:
        raise InputError(f"{name} lists all values, and the discrete sites have {float(count(model)):.3g} of them: up "
                         f"to {largest:,} would do; use composite_gibbs_pyro")


def few(model: Program, largest: int) -> bool:
    """Whether they can be listed, and are up to `largest`."""
    return all(site.choices is not None for site in model.known.discrete.values()) and count(model) <= largest


def count(model: Program) -> int:
    """How many values they have together; 1 where there are none."""
    total = 1
    for base in _bases(model):
        total *= base
    return total


def listed(model: Program) -> Latents:
    """All of them, (count, *site)."""
    return at(model, torch.arange(count(model)))


def at(model: Program, numbers: Tensor) -> Latents:
    """The values by number, (n, *site): digits in mixed base, the last entry the fastest."""
    digits, rest = [], numbers
    for base in reversed(_bases(model)):
        digits.append(rest % base)
        rest = rest // base
    table, found, first = torch.stack([*reversed(digits)], -1) if digits else numbers[:, None], {}, 0
    for name, site in model.known.discrete.items():
        assert site.choices is not None
        chosen = site.choices[table[:, first: first + _entries(site)]]
        found[name] = chosen.reshape(len(numbers), *site.shape)
        first += _entries(site)
    return found


def _entries(site: Site) -> int:
    """Of the site, each with a choice of its own; a one-hot vector is one."""
    assert site.choices is not None
    return site.size // site.choices[0].numel()


def _bases(model: Program) -> list[int]:
    """The number of choices of every entry."""
    return [len(site.choices) for site in model.known.discrete.values() if site.choices is not None
            for _ in range(_entries(site))]
