"""Everything known about a program after the methods have run: what figures, tables and sentences are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from experiments.program import measures
from experiments.program.measures import Errors, Numbers, Quantities, Whole
from experiments.program.request import Request
from inference.job import generator
from inference.result import Result
from models.program import Program
from models.sites import families

REPLICATED = 200  # data sets drawn from the posterior predictive
PRIOR = 2000


@dataclass(frozen=True)
class Study:
    request: Request
    program: Program
    results: Sequence[Result]

    @cached_property
    def quantities(self) -> list[Quantities]:
        """The draws of latent and deterministic sites, by every method."""
        return [measures.quantities(r, self.program) for r in self.results]

    @cached_property
    def wholes(self) -> list[Whole]:
        return [Whole.of(r, q, self.program) for r, q in zip(self.results, self.quantities, strict=True)]

    @cached_property
    def numbers(self) -> list[Numbers]:
        return [Numbers.of(r, q) for r, q in zip(self.results, self.quantities, strict=True)]

    @cached_property
    def reference(self) -> int | None:
        return measures.reference(self.results, self.wholes)

    @property
    def judge(self) -> Result | None:
        return None if self.reference is None else self.results[self.reference]

    @cached_property
    def errors(self) -> list[Errors | None]:
        """Of every result; None of the reference itself, and where there is none."""
        if self.reference is None:
            return [None] * len(self.results)
        judge = self.numbers[self.reference]
        return [None if k == self.reference else Errors.of(one, judge) for k, one in enumerate(self.numbers)]

    @cached_property
    def order(self) -> list[int]:
        """The numbers by how far the worst method is from the reference there, the farthest first; else as they are.
        Constant ones are left out."""
        found = [np.abs(np.nan_to_num(e.sds)) for e in self.errors if e is not None]
        n = len(self.numbers[0].mean)
        every = list(np.argsort(-np.max(found, 0), kind="stable")) if found else list(range(n))
        return [k for k in every if not self.constant[k]]

    @cached_property
    def constant(self) -> np.ndarray:
        """Which numbers are one and the same in every draw of every method, as a 0 above a Cholesky factor's diagonal,
        (n,); none where all are, or where points are all there is."""
        spread = [one for one, r in zip(self.numbers, self.results, strict=True) if r.family != "point"]
        if not spread:
            return np.zeros(len(self.numbers[0].mean), dtype=bool)
        size = measures.STILL * np.max([np.abs(one.mean) for one in self.numbers], 0)
        found: np.ndarray = np.all([one.sd <= size for one in spread], 0) & (
            np.ptp([one.mean for one in self.numbers], 0) <= size)
        return found & (not found.all())

    def shown(self, count: int) -> list[int]:
        """The worst number of every site, sites of a loop being one, and then the worst of all, up to `count`."""
        every = measures.shapes(self.quantities[0])
        stems = {name: stem for stem, names in families(list(every)).items() for name in names}
        site_of = [stems.get(site, site) for site, shape in every.items() for _ in range(int(np.prod(shape)))]
        first = list({site_of[k]: k for k in reversed(self.order)}.values())
        chosen = sorted(first, key=self.order.index)[:count]
        return [*chosen, *(k for k in self.order if k not in chosen)][:count]

    @cached_property
    def prior(self) -> np.ndarray | None:
        """Draws of every number from the prior, (draw, n); None where it has none."""
        if any(site.flat for site in self.program.known.latent.values()):
            return None
        rng = generator(self.request.seed, "prior")
        latents = self.program.draws_of_prior(rng, PRIOR)
        found = self.program.quantities(latents)
        return np.concatenate([found[site].reshape(PRIOR, -1).numpy() for site in self.quantities[0]], 1)

    @cached_property
    def replicated(self) -> np.ndarray:
        """Data drawn given draws of the reference, or of the first method, (replicate, number of data)."""
        result = self.judge or self.results[0]
        total = int(np.prod(next(iter(result.draws.values())).shape[:2]))
        every = max(total // REPLICATED, 1)
        latents = {n: torch.from_numpy(x.reshape(-1, *x.shape[2:])[::every]) for n, x in result.draws.items()}
        data = self.program.replicated(generator(self.request.seed, "predictive"), latents)
        found: np.ndarray = np.concatenate([x.reshape(len(x), -1).double().numpy() for x in data.values()], 1)
        return found[:, self.seen]

    @property
    def observed(self) -> np.ndarray:
        every = [x.reshape(-1).double().numpy() for x in self.program.data.values()]
        found: np.ndarray = np.concatenate(every or [np.zeros(0)])
        return found[self.seen] if every else found

    @cached_property
    def seen(self) -> np.ndarray:
        """Which observed numbers no mask hides, (number of data,)."""
        masks = measures.seen(self.program)
        every = [masks[name].reshape(*masks[name].shape, *[1] * (x.ndim - masks[name].ndim)).expand(x.shape).reshape(-1)
                 for name, x in self.program.data.items() if name in masks]
        found: np.ndarray = torch.cat(every).numpy()
        return found
