"""A user's program with its discrete sites summed out, as a guide of the others alone is fitted to it (TraceEnum_ELBO).

    log p(x, y) = log sum_z p(x, z, y)

by listing every z: independent of how Pyro sums.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from functools import cached_property

import torch
from torch import Tensor

from errors import InputError
from models.model import Data, Latents
from models.program import Program
from models.sites import Sites

STATES = 4096


@dataclass(frozen=True, eq=False)
class Marginal(Program):
    """Its latents are the program's continuous sites."""

    @classmethod
    def of(cls, program: Program) -> Marginal:
        """Errors: InputError for one whose states are too many, or cannot be listed."""
        count = 1.0
        for name, site in program.known.discrete.items():
            if site.choices is None or site.choices.ndim > 1:
                raise InputError(f"the values of the discrete site {name} cannot be listed, so it cannot be summed "
                                 f"out: a guide of this model cannot be checked")
            count *= len(site.choices) ** site.size
        if count > STATES:
            raise InputError(f"the discrete sites {', '.join(program.known.discrete)} have {count:.2g} states, and "
                             f"to check a guide without them up to {STATES:,} would do: give the file a function "
                             f"example() with fewer rows")
        return cls(**{f.name: getattr(program, f.name) for f in fields(Program)})

    @cached_property
    def whole(self) -> Program:
        return Program(**{f.name: getattr(self, f.name) for f in fields(Program)})

    @property
    def program(self) -> Program:
        return self.whole

    @cached_property
    def known(self) -> Sites:  # type: ignore[override]
        return replace(self.whole.known, latent=self.whole.known.continuous)

    def gap(self, rng: torch.Generator, count: int) -> float:
        return self.whole.gap(rng, count)

    @cached_property
    def states(self) -> dict[str, Tensor]:
        """Every value of the discrete sites together, a leading axis of them."""
        sites = self.whole.known.discrete
        axes = [site.choices for site in sites.values() for _ in range(site.size) if site.choices is not None]
        listed = torch.cartesian_prod(*axes).reshape(math.prod(map(len, axes)), -1)
        parts = listed.split([site.size for site in sites.values()], 1)
        return {name: part.reshape(-1, *site.shape).to(site.choices.dtype)  # type: ignore[union-attr]
                for (name, site), part in zip(sites.items(), parts, strict=True)}

    @cached_property
    def vectorised(self) -> bool:  # type: ignore[override]
        assert self.whole.vectorised is not None and self.states  # worked out here, for it cannot be under vmap
        return bool(Program.vectorised.func(self))  # type: ignore[attr-defined]

    def terms(self, latents: Latents, data: Data) -> dict[str, Tensor]:
        def log_p(z: Latents) -> Tensor:
            return torch.stack(list(self.whole.terms({**latents, **z}, data).values())).sum()

        count = len(next(iter(self.states.values())))
        if self.whole.vectorised:
            each = torch.func.vmap(log_p)(self.states)
        else:
            each = torch.stack([log_p({name: z[k] for name, z in self.states.items()}) for k in range(count)])
        return {"the model": each.logsumexp(0)}
