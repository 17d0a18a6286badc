"""Supports of a Pyro model's sites: are two the same, is a value inside, and densities that are 0 outside.

A log_prob of torch's is defined outside the support too: Exponential(1) at -1 gives +1, Binomial(3, p) at 5 a number,
and pyro.infer.MCMC switches off the validation that would object. `guarded` says -inf there, as the density does.
"""

from __future__ import annotations

from typing import Any

import torch
from pyro.distributions import MaskedDistribution
from pyro.distributions.torch_distribution import TorchDistribution
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

# Told by inequalities, with no rounding to forgive; a simplex, for one, adds up to 1 only within its precision.
CHECKED = tuple(type(support) for support in (
    constraints.boolean, constraints.integer_interval(0, 1), constraints.nonnegative_integer, constraints.positive,
    constraints.nonnegative, constraints.less_than(0), constraints.unit_interval, constraints.half_open_interval(0, 1),
    constraints.one_hot))


def of(fn: Any) -> Constraint | None:
    """The support of a distribution; None if it does not know."""
    try:
        support: Constraint = fn.support
    except (NotImplementedError, AttributeError):
        return None
    return support


def base(support: Constraint | None) -> Constraint | None:
    """Of one entry: without the `independent` that .to_event() wraps around it."""
    while isinstance(support, constraints.independent):
        support = support.base_constraint
    return support


def same(one: object, other: object) -> bool:
    """Whether two constraints, or the numbers in them, are equal."""
    if one is other:
        return True
    if isinstance(one, Tensor) or isinstance(other, Tensor):
        a, b = torch.as_tensor(one), torch.as_tensor(other)
        return a.shape == b.shape and bool((a == b).all())
    if isinstance(one, Constraint) and type(one) is type(other):
        return all(same(value, vars(other).get(name)) for name, value in vars(one).items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def inside(support: Constraint | None, value: Tensor) -> Tensor | None:
    """True where `value` is in the support, an entry an event; None if the support is of no kind that is checked."""
    if support is None or not isinstance(base(support), CHECKED):
        return None
    found: Tensor = support.check(value)
    return found


def words(support: Constraint | None) -> str:
    """For people: Interval(lower_bound=0.0, upper_bound=1.0), with no tensor of many numbers in it."""
    core = base(support)
    if core is None:
        return "unknown"
    many = any(isinstance(bound, Tensor) and bound.numel() > 1 for bound in vars(core).values())
    return type(core).__name__.strip("_") if many else str(core)


def guarded(fn: Any) -> Any:
    """The distribution with log_prob -inf outside its support; itself where every number is inside."""
    if isinstance(fn, MaskedDistribution):
        inner = guarded(fn.base_dist)
        return fn if inner is fn.base_dist else inner.mask(fn._mask)
    if not isinstance(base(of(fn)), CHECKED) or _masked(fn):
        return fn
    return fn if isinstance(fn, Guarded) else Guarded(fn)


def _masked(fn: Any) -> bool:
    """Whether some entries below count for nothing, whatever they hold."""
    while fn is not None and not isinstance(fn, MaskedDistribution):
        fn = vars(fn).get("base_dist")
    return fn is not None


class Guarded(TorchDistribution):  # type: ignore[misc]
    """`base_dist`, but for a density of 0 outside its support."""

    arg_constraints: dict[str, Constraint] = {}  # noqa: RUF012

    def __init__(self, base_dist: Any) -> None:
        self.base_dist = base_dist
        super().__init__(base_dist.batch_shape, base_dist.event_shape, validate_args=False)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "base_dist" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.base_dist, name)

    @property
    def support(self) -> Constraint:
        found: Constraint = self.base_dist.support
        return found

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        return bool(self.base_dist.has_rsample)

    @property
    def has_enumerate_support(self) -> bool:  # type: ignore[override]
        return bool(self.base_dist.has_enumerate_support)

    @property
    def mean(self) -> Tensor:
        return _tensor(self.base_dist.mean)

    @property
    def variance(self) -> Tensor:
        return _tensor(self.base_dist.variance)

    def sample(self, *shape: Any, **more: Any) -> Tensor:
        return _tensor(self.base_dist.sample(*shape, **more))

    def rsample(self, *shape: Any, **more: Any) -> Tensor:
        return _tensor(self.base_dist.rsample(*shape, **more))

    def expand(self, batch_shape: Any, _instance: object = None) -> Guarded:
        return Guarded(self.base_dist.expand(batch_shape))

    def enumerate_support(self, expand: bool = True) -> Tensor:
        return _tensor(self.base_dist.enumerate_support(expand))

    def log_prob(self, value: Tensor) -> Tensor:
        found = _tensor(self.base_dist.log_prob(value))
        ok = self.support.check(value)
        return found if bool(ok.all()) else torch.where(ok, found, -torch.inf)


def _tensor(found: Any) -> Tensor:
    assert isinstance(found, Tensor)
    return found
