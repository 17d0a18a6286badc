"""log p(u, data) of a program's continuous latents without constraints, and its gradient, as quick as they can be had.

Most of the time of a gradient goes into Pyro's handlers and Python. So the program is run once under torch's tracer,
and what it did to its numbers is done again without them, two to three times as fast; where its tensors are small, as
in a loop over time, entry by entry (`entries.py`), up to a hundred times as fast. A program that asks a number's truth
on its way, `if x > 0`, would do something else elsewhere: it is run as it is, each time; so is one whose trace does not
give the program's own values and gradients at PLACES places, as after `float(x)`.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from inference.program.parts import density, entries
from models.batched import seeded
from models.program import Program

AGREE = 1e-9  # relative: the traced log density and the program's own
PLACES = 8  # that they are compared at, u uniform in (-2, 2)
LARGEST = 20_000  # operations of a trace, which takes memory
ASKED = "to a Python boolean"  # in the words of the tracer
LIBRARIES = re.compile(r"[/\\]site-packages[/\\]")  # which ask whether arguments are what they should be
NO_FACTOR = re.compile(r"cholesky|singular|positive.definite", re.IGNORECASE)

LogDensity = Callable[[Tensor], Tensor]
_traced: WeakKeyDictionary[Program, LogDensity] = WeakKeyDictionary()


def log_density(model: Program) -> LogDensity:
    """log p(u, data) of one u, (D,), in nats, with a gradient, the data being the program's own; NaN where a matrix has
    no Cholesky factor. It is to be called within `seeded`, or with Pyro borrowed."""
    if model not in _traced:
        _traced[model] = _careful(_quick(model))
    return _traced[model]


def value_and_gradient(log_p: LogDensity, u: np.ndarray) -> tuple[float, np.ndarray]:
    """Of the log density, at one u."""
    at = torch.from_numpy(np.array(u, dtype=float)).requires_grad_(True)
    value = log_p(at)
    gradient = torch.autograd.grad(value, at)[0]
    return float(value.detach()), gradient.numpy()


def _careful(log_p: LogDensity) -> LogDensity:
    def found(u: Tensor) -> Tensor:
        try:
            return log_p(u)
        except RuntimeError as error:
            if NO_FACTOR.search(str(error)):
                return (u * torch.nan).sum()
            raise

    return found


def _quick(model: Program) -> LogDensity:
    """Traced, if that is the same; else as it is."""
    plain = density.of_one(model, model.data)
    rng = torch.Generator().manual_seed(0)
    with seeded(rng), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        places = 4 * torch.rand(PLACES, model.coordinates.size, generator=rng, dtype=torch.float64) - 2
        try:
            graph = torch.jit.trace(plain, (places[0],), check_trace=False)  # type: ignore[no-untyped-call]
        except Exception:  # whatever it is that the tracer cannot do
            return plain
        asked = any(ASKED in str(w.message) and not LIBRARIES.search(w.filename) for w in said)
        if asked or len(list(graph.graph.nodes())) > LARGEST:
            return plain

        def again(u: Tensor) -> Tensor:
            with torch.jit.optimized_execution(False):  # which costs seconds where a trace is long
                value: Tensor = graph(u)
            return value

        quicker = entries.of(plain, places[0], again)
        return next((each for each in (quicker, again) if each and _same(plain, each, places)), plain)


def _same(one: LogDensity, other: LogDensity, places: Tensor) -> bool:
    """At all of them."""
    try:
        return all(_close(_careful(one), _careful(other), u) for u in places)
    except Exception:  # whatever a trace cannot do
        return False


def _close(one: LogDensity, other: LogDensity, u: Tensor) -> bool:
    """Values and gradients, or both no numbers."""
    (a, da), (b, db) = (value_and_gradient(log_p, u.numpy()) for log_p in (one, other))
    x, y = np.append(da, a), np.append(db, b)
    return bool(np.allclose(x, y, rtol=AGREE, atol=AGREE * (1 + np.abs(np.nan_to_num(x)).max()), equal_nan=True))
