"""Pyro's HMC and NUTS with a good start, a quick gradient, and a mass matrix that keeps what it knew.

    M^-1 <- (n S + c M^-1) / (n + c)

S is the covariance of a window's n draws; c = 5, and the dimension more where correlations are learned. Pyro and Stan
take 10^-3 in place of M^-1, which forgets the start, and of D numbers wants many more draws than D.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from pyro.infer import HMC, NUTS
from pyro.ops.welford import WelfordCovariance
from torch import Tensor

from inference.program.parts import pathfinder
from inference.program.parts.potential import log_density
from models.program import Program

PSEUDO = 5.0  # draws that the former matrix counts for
FIRST, LAST = 20, 50  # steps of the warm-up before and after those in which the mass matrix is learned
DENSE = 60  # numbers up to which correlations are learned, unless it is said
SMALL = 1e-3  # of the identity, the former matrix where nothing is known: Pyro's and Stan's
LEAST = 20  # steps of a warm-up that is worth a start of its own


class Keeps(WelfordCovariance):  # type: ignore[misc]
    """The covariance of a window's draws, and of as many more as the former matrix counts for."""

    def __init__(self, diagonal: bool, former: Tensor) -> None:
        super().__init__(diagonal)
        self.former = former

    def get_covariance(self, regularize: bool = True) -> Tensor:
        n, S = self.n_samples, super().get_covariance(regularize=False)
        c = PSEUDO if self.diagonal else PSEUDO + len(S)
        self.former = (n * S + c * self.former) / (n + c)
        return self.former


class _Begins:
    """A kernel of a program, on its own data by the quick gradient, whose setup climbs to where it begins."""

    program: Program
    own: bool
    climbs: bool

    def about(self: Any, program: Program, own: bool, climbs: bool) -> Any:
        """own     whether the data are the program's own, and worth a trace of it
        climbs  whether it begins where a climb passes, if it is to adapt there"""
        self.program, self.own, self.climbs = program, own, own and climbs
        self._adapter._adapt_start_buffer, self._adapter._adapt_end_buffer = FIRST, LAST
        return self

    def setup(self: Any, warmup_steps: int, *args: Any, **kwargs: Any) -> None:
        begun = None
        if self.climbs and warmup_steps >= LEAST:
            rng = np.random.default_rng(int(torch.randint(2**62, ())))
            begun = pathfinder.begin(log_density(self.program), self.program.coordinates.size, rng)
        if begun is not None:
            self._initial_params = self.program.coordinates.parts(torch.from_numpy(begun.u))
        super().setup(warmup_steps, *args, **kwargs)  # type: ignore[misc]
        self._widen(None if begun is None else torch.from_numpy(begun.covariance))

    def _initialize_model_properties(self: Any, args: Any, kwargs: Any) -> None:
        super()._initialize_model_properties(args, kwargs)  # type: ignore[misc]
        if self.own:
            log_p, names = log_density(self.program), list(self.program.coordinates.shapes)
            self.potential_fn = lambda z: -log_p(torch.cat([z[name].reshape(-1) for name in names]))

    def _widen(self: Any, covariance: Tensor | None) -> None:
        """This as the first inverse mass matrix, and a step size to it; without one as Pyro begins, and learns."""
        adapter, numbers = self.mass_matrix_adapter, self._numbers()
        for names, now in list(adapter.inverse_mass_matrix.items()):
            at = torch.cat([numbers[name] for name in names])
            if covariance is None:
                adapter._adapt_scheme[names] = Keeps(now.ndim == 1, SMALL * now)
                continue
            new = covariance[at[:, None], at] if now.ndim == 2 else covariance.diagonal()[at]
            adapter._adapt_scheme[names] = Keeps(now.ndim == 1, new)
            adapter.inverse_mass_matrix = {names: new}
        if covariance is not None:
            self._adapter.reset_step_size_adaptation(self._initial_params)

    def _numbers(self: Any) -> dict[str, Tensor]:
        """Of the entries of u, site by site."""
        shapes = self.program.coordinates.shapes
        return {name: x.reshape(-1) for name, x in self.program.coordinates.parts(
            torch.arange(sum(shape.numel() for shape in shapes.values()))).items()}


class AdaptedNUTS(_Begins, NUTS):  # type: ignore[misc]
    """The no-U-turn sampler."""


class AdaptedHMC(_Begins, HMC):  # type: ignore[misc]
    """Paths of a fixed length."""


def dense(program: Program, wanted: bool | None) -> bool:
    """Whether the mass matrix has correlations."""
    return program.coordinates.size <= DENSE if wanted is None else wanted
