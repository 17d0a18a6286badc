"""Sums of products over discrete variables, some of them in plates: one variable after the other is summed out.

    sum_z prod_f f(z_f)    by    g(others of v) = sum_v prod_{f with v} f,    v by v

Inner plates first: their entries are independent given what lies outside, so that what is left of a factor there is
multiplied over the entries. Along a chain this is the forward algorithm. Backwards, each variable is drawn given those
that were summed out after it. All in logs. Cost: the largest product, K^(variables in it) numbers. Obermeyer et al.
(2019), "Tensor variable elimination for plated factor graphs".
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

Plate = tuple[int, str]  # its axis, from the right, and its name
Values = Mapping[int, Tensor]  # number of each variable's value; axes are those of the plates


class Entangled(Exception):
    """Of variables that cannot be summed out plate by plate."""


@dataclass(frozen=True)
class Factor:
    """log f, with an axis for each of `variables`, in this order, and then one for each level of plates."""

    log_f: Tensor
    variables: tuple[int, ...]
    plates: frozenset[Plate]

    def within(self, plates: frozenset[Plate]) -> Factor:
        """The product over the entries of all other plates."""
        axes = [axis for axis, _ in self.plates - plates]
        return Factor(self.log_f.sum(axes, keepdim=True) if axes else self.log_f, self.variables, self.plates & plates)

    def at(self, values: Values) -> Tensor:
        """log f where the variables among `values` have these."""
        found = self.log_f
        for axis in reversed(range(len(self.variables))):
            if self.variables[axis] in values:
                found = _select(found, axis, values[self.variables[axis]])
        return found


def product(factors: Collection[Factor], plates: frozenset[Plate], first: int) -> Factor:
    """Of all, the variable `first` on the first axis."""
    names = [first, *dict.fromkeys(v for f in factors for v in f.variables if v != first)]
    return Factor(functools.reduce(torch.add, (_aligned(f, names) for f in factors)), tuple(names), plates)


def summed(factors: Collection[Factor], plates: Mapping[int, frozenset[Plate]]) -> tuple[Tensor, list[Factor]]:
    """The log of the sum over every variable, and the product that each was summed out of, in turn.

    plates   of every variable. Errors: Entangled for one that is used outside its plates, or together with one of
             others.
    """
    left, products = list(factors), []
    waiting = set(plates)
    while waiting:
        deepest = max(len(plates[v]) for v in waiting)
        v = min((v for v in waiting if len(plates[v]) == deepest), key=lambda v: (_neighbours(v, left), v))
        mine = [_inside(f, v, plates) for f in left if v in f.variables]
        left = [f for f in left if v not in f.variables]
        waiting.remove(v)
        if mine:
            products.append(product(mine, plates[v], v))
            left.append(Factor(products[-1].log_f.logsumexp(0), products[-1].variables[1:], plates[v]))
    return functools.reduce(torch.add, (f.log_f.sum() for f in left)), products


def marginals(factors: Collection[Factor], plates: Mapping[int, frozenset[Plate]],
              sizes: Mapping[int, tuple[int, ...]]) -> dict[int, Tensor]:
    """p(v = k) of every entry of every variable, of its size (K, *plates): the derivative of the log of the sum by
    log-potentials that are 0."""
    def log_z(h: dict[int, Tensor]) -> Tensor:
        return summed([*factors, *(Factor(x, (v,), plates[v]) for v, x in h.items())], plates)[0]

    return torch.func.grad(log_z)({v: torch.zeros(size, dtype=torch.float64) for v, size in sizes.items()})


def drawn(products: Collection[Factor]) -> dict[int, Tensor]:
    """The numbers of the variables' values, drawn together from torch's generator."""
    values: dict[int, Tensor] = {}
    for found in reversed(list(products)):
        log_p = found.at(values)
        gumbel = -(-torch.rand(log_p.shape, dtype=log_p.dtype).log()).log()
        values[found.variables[0]] = (log_p + gumbel).argmax(0)
    return values


def _neighbours(v: int, factors: Collection[Factor]) -> int:
    """How many variables are in a factor with it."""
    return len({w for f in factors if v in f.variables for w in f.variables})


def _inside(factor: Factor, v: int, plates: Mapping[int, frozenset[Plate]]) -> Factor:
    """Multiplied over the plates that v is not in."""
    if not factor.plates >= plates[v] or any(plates[w] & (factor.plates - plates[v]) for w in factor.variables):
        raise Entangled
    return factor.within(plates[v])


def _aligned(factor: Factor, names: list[int]) -> Tensor:
    """log f with an axis for each of these."""
    n, order = len(factor.variables), [factor.variables.index(name) for name in names if name in factor.variables]
    found = factor.log_f.permute(*order, *range(n, factor.log_f.ndim))
    for axis, name in enumerate(names):
        found = found if name in factor.variables else found.unsqueeze(axis)
    return found


def _select(x: Tensor, axis: int, number: Tensor) -> Tensor:
    """x at this place of the axis, which differs by entry of the plates; without an index, which vmap has no rule for
    where it is one number."""
    x = x.movedim(axis, 0)
    places = torch.arange(len(x)).reshape(-1, *[1] * (x.ndim - 1))
    return torch.where(places == number, x, -torch.inf).amax(0)
