"""The replicates of one test problem, as many as have been asked for so far, and how they compare."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from checks.kernels.kernel import Broken, Kernel
from checks.kernels.score import Scale, learn, more
from checks.kernels.statistic import Compared, compare
from checks.problems.problem import Problem, join
from inference.method import Latents
from models.model import Data, Model

STEPS = 3  # of the kernel, with the data fixed
REFERENCE = 25  # draws of the joint behind every mean, for each replicate


@dataclass(frozen=True)
class Suspect:
    """One score of one function that is not where it should be."""

    score: int  # 0: where it lies, 1: how far out
    function: int
    sign: float
    p_value: float
    z: float


class Trial:
    """Independent replicates: (theta, data) from the joint, theta' a few steps of the kernel later."""

    def __init__(self, rng: torch.Generator, kernel: Kernel, problem: Problem, model: Model | None = None) -> None:
        self.rng, self.kernel, self.problem, self.model = rng, kernel, problem, model
        self.scale: Scale | None = None
        self.parts: list[tuple[Latents, Data, Latents]] = []
        self.scored: list[tuple[Tensor, Tensor]] = []
        self.doubted = False  # something is suspected that fresh replicates have not been asked about yet

    @property
    def n(self) -> int:
        return sum(len(next(iter(before.values()))) for before, _, _ in self.parts)

    @property
    def before(self) -> Latents:
        return join([part[0] for part in self.parts])

    @property
    def data(self) -> Data:
        return join([part[1] for part in self.parts])

    @property
    def after(self) -> Latents:
        return join([part[2] for part in self.parts])

    @property
    def scores(self) -> tuple[Tensor, Tensor]:
        """(2, F, n) before the steps, and after."""
        x, y = (torch.cat(part, -1) for part in zip(*self.scored, strict=True))
        return x, y

    def upto(self, n: int) -> Compared:
        """The comparison over n replicates, those that are there already among them."""
        self.scale = (learn(self.rng, self.problem, REFERENCE * n) if self.scale is None
                      else more(self.rng, self.scale, REFERENCE * n))
        if n > self.n:
            before, data = self.problem.joint(self.rng, n - self.n)
            after = self.kernel.move(self.rng, self.problem, before, data, STEPS, self.model)
            try:
                self.scored.append((self.scale(before, data), self.scale(after, data)))
            except torch.linalg.LinAlgError:
                far, site = max((float(x.abs().max()), site) for site, x in after.items())
                raise Broken(f"it runs away: {site} reaches {far:.2g} within {STEPS} steps") from None
            self.parts.append((before, data, after))
        return compare(*self.scores, self.scale)


def suspects(compared: Compared, allowed: float) -> list[Suspect]:
    """The scores rejected at a false-alarm probability `allowed` for all of them together, worst first."""
    p = compared.p_values
    tests = int((~np.isnan(compared.z.numpy())).sum())
    found = [Suspect(int(s), int(f), float(compared.z[s, f].sign()), float(p[s, f] * tests), float(compared.z[s, f]))
             for s, f in np.argwhere(p * max(tests, 1) < allowed)]
    return sorted(found, key=lambda s: -abs(s.z))


def confirmed(fresh: Compared, suspect: Suspect, allowed: float) -> bool:
    """Whether fresh replicates reject the same score in the same direction, one-sided, at `allowed`."""
    z = float(fresh.z[suspect.score, suspect.function]) * suspect.sign
    p = fresh.p_values[suspect.score, suspect.function] / 2
    return bool(z > 0 and p < allowed)
