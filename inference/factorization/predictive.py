"""The scorer: how well the draws of a method predict ratings, step by step, without keeping the draws.

    p(r) ~ 1/T sum_t N(r | prediction_t, s_t)                    the mean predictive density of T draws
    NLL  = - mean over pairs of log p(r)                         nats per rating, log(2 pi) / 2 = 0.919 included
    RMSE = root mean square of r - 1/T sum_t prediction_t        rating units
    PIT  = 1/T sum_t Phi((r - prediction_t) / sqrt(s_t))         uniform where the predictive distribution is right

The draws t are: for MCMC all those since warm-up ended (until then, since the start); for a variational
method `samples` fresh ones from q after every step; for a point the point. The noise variance s is the model's
`noise_of` at the pair, in squared rating units. Cost of a draw: N K, and one exponential a pair. Memory: one number a
pair.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from errors import InputError
from inference.engine import Engine, choose
from inference.factorization.compiled import predictive as predictive_numba
from inference.factorization.parts import predictive_torch
from inference.method import Family, Latents
from models.factorization import Factorization
from models.ratings import Pairs, Ratings
from ranks import group
from ranks.part import Part

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
MOST = 10**6  # draws from q a score: it is then right to a thousandth of its spread
STACK = 2**22  # numbers of U and V handed at once to the compiled code


@dataclass(frozen=True)
class Moments:
    """Sums over the draws at some pairs."""

    prediction: Float64[Tensor, "n"]
    square: Float64[Tensor, "n"]  # of the prediction
    below: Float64[Tensor, "n"]  # Phi, for the PIT; means nothing where no rating is known
    noise: Float64[Tensor, "n"]  # variance


@dataclass(frozen=True)
class Memory:
    """What one chain's scores so far amount to; the tensors are updated in place.

    total[set][n] is the sum over the draws of exp(-(r_n - prediction)^2 / (2 s)) / sqrt(s), or where that is below
    exp(FLOOR) its logarithm, a negative number; 0 before the first draw.
    """

    draws: int
    warm: bool
    noise: float  # sum over the draws of the noise variance
    total: dict[str, Tensor]
    moments: dict[str, Moments]


class Predictive:
    """An `Observer` (see inference/job.py) that scores a method's draws on named sets of ratings.

    sets      name -> ratings; empty ones are left out
    detailed  the sets whose RMSE, PIT, predictive mean and spread are kept as well
    ask       pairs without a rating, whose predictive mean and spread are kept as well
    clip      the ends of the scale: no predictive mean lies beyond them; densities and spreads are not changed
    times     whether others than "train" are predicted at their own times, where they have any, and not at any
    """

    memories: tuple[type, ...] = (Memory, Moments)
    constant = HALF_LOG_2PI  # of an energy

    def __init__(self, model: Factorization, sets: Mapping[str, Ratings], family: Family, *, samples: int = 100,
                 detailed: Sequence[str] = ("test",), ask: Pairs | None = None, engine: Engine = "auto",
                 clip: tuple[float, float] | None = None, times: bool = False) -> None:
        if not 1 <= samples <= MOST:
            raise InputError(f"the number of samples from q must lie between 1 and {MOST:,}, not {samples:,}")
        self.model = model
        self.clip = clip
        self.cumulative = family is Family.MCMC
        self.samples = samples if family is Family.VARIATIONAL else 1
        self.sets = {name: ratings if times or name == "train" else ratings.untimed for name, ratings in sets.items()
                     if ratings.total}
        self.detailed = {name: self.sets[name] for name in detailed if name in self.sets}
        if ask is not None:
            nothing = torch.zeros(len(ask[0]), dtype=torch.float64, device=ask[0].device)
            known = next(iter(self.sets.values()), None)
            self.detailed["ask"] = Ratings(*ask, nothing, model.num_users, model.num_items,
                                           user_ids=known.user_ids if known else None,
                                           item_ids=known.item_ids if known else None)
        chosen = choose("the scorer", engine, torch.device(model.device))
        self.compiled = chosen == "compiled"
        self._lay_out()

    def _lay_out(self) -> None:
        """The sets as they are read."""
        self.sorted = {name: ratings.by_user for name, ratings in self.sets.items()}
        self.arrays, self.detailed_arrays = (
            {name: arrays(ratings) for name, ratings in each.items() if self.compiled}
            for each in (self.sorted, self.detailed))

    def facts(self) -> dict[str, Any]:
        """The sets; the training set is scored_train, as it may be a part of what is trained on."""
        said = {f"{'scored_' * (name == 'train')}{name}": ratings.facts for name, ratings in self.sets.items()}
        return {"data": said, "samples": self.samples} | ({"clip": list(self.clip)} if self.clip else {})

    @property
    def coords(self) -> dict[str, tuple[str, np.ndarray]]:
        """The users and items, by their ids, of the pairs whose means are kept."""
        found = {}
        for name, ratings in self.detailed.items():
            for (side, (_, names)), index in zip(ratings.coords.items(), ratings.pairs, strict=False):
                found[f"{name}_{side}"] = (name, names[index.cpu().numpy()])
        return found

    def of(self, part: Part) -> Self:
        """The scorer of the pairs of a part's users, whose scores are those of all."""
        found = copy(self)
        found.model = self.model.of(part)
        found.sets = {name: ratings.of(part) for name, ratings in self.sets.items()}
        found.detailed = {name: found.sets[name] if name in found.sets else ratings.of(part)
                          for name, ratings in self.detailed.items()}
        found._lay_out()
        return found

    def memory_of(self, memory: Memory, part: Part) -> Memory:
        """Of a memory of all pairs that of a part's."""
        def own(x: Tensor, ratings: Ratings) -> Tensor:
            return x[(ratings.user >= part.users.start) & (ratings.user < part.users.stop)]

        total = {name: x[slice(*ends(self.sorted[name], part)[part.rank : part.rank + 2])]
                 for name, x in memory.total.items()}
        return replace(memory, total=total, moments={
            name: Moments(*(own(x, self.detailed[name]) for x in vars(sums).values()))
            for name, sums in memory.moments.items()})

    def whole(self, memory: Memory, part: Part) -> Memory:
        """Of the memories of all parts that of all pairs, on the first rank."""
        def gathered(x: Tensor, ratings: Ratings) -> Tensor:
            return group.to_first(x, ends(ratings, part))

        def placed(x: Tensor, ratings: Ratings) -> Tensor:
            whose = torch.bucketize(ratings.user, torch.tensor(part.bounds[1:], device=ratings.device), right=True)
            found = gathered(x, ratings)
            return found if group.rank() else torch.empty_like(found).index_copy_(0, whose.argsort(stable=True), found)

        total = {name: gathered(x, self.sorted[name]) for name, x in memory.total.items()}
        return replace(memory, total=total, moments={
            name: Moments(*(placed(x, self.detailed[name]) for x in vars(sums).values()))
            for name, sums in memory.moments.items()})

    def start(self) -> Memory:
        """No draw yet."""
        total = {name: torch.zeros_like(ratings.rating) for name, ratings in self.sorted.items()}
        return Memory(0, False, 0.0, total, {name: Moments(*(torch.zeros_like(ratings.rating) for _ in range(4)))
                                             for name, ratings in self.detailed.items()})

    def update(self, memory: Memory, draw: Callable[[], Latents], warm: bool) -> tuple[Memory, dict[str, float]]:
        """After a step: `<set>_nll` and `<set>_rmse` of all draws that count, `<set>_nll_last` of the last alone."""
        if not self.cumulative or (warm and not memory.warm):
            memory = self.start()
        sums: dict[str, tuple[float, float]] = {}
        left = self.samples
        while left:
            stack = [draw()]
            most = STACK // sum(x.numel() for x in stack[0].values()) if self.compiled else 1
            stack += [draw() for _ in range(min(left, most) - 1)]
            memory, sums = self._add(memory, stack)
            left -= len(stack)
        last, pooled = self._means(sums)
        scores = {f"{name}_nll": self.constant + math.log(memory.draws) - value for name, value in pooled.items()}
        if self.cumulative:
            scores |= {f"{name}_nll_last": self.constant + value for name, value in last.items()}
        return replace(memory, warm=warm), scores | self._rmse([memory])

    def finish(self, memories: Sequence[Memory]) -> dict[str, np.ndarray]:
        """The answer of all chains together, in the order of the ratings that were given.

        <set>_nll, <set>_rmse (); <set>_mean, <set>_spread of the prediction, <set>_pit, log p(r) as
        <set>_log_density, and where it differs by pair <set>_noise, the variance, each (pairs,); noise_variance
        """
        draws = sum(m.draws for m in memories)
        if not draws:
            return {}
        logs = {name: torch.stack([predictive_torch.decode(m.total[name]) for m in memories]).logsumexp(0)
                for name in self.sets}
        found = {f"{name}_nll": HALF_LOG_2PI + math.log(draws) - float(log.mean()) for name, log in logs.items()}
        found |= self._rmse(memories) | {"noise_variance": sum(m.noise for m in memories) / draws}
        arrays = {name: np.array(value) for name, value in found.items()}
        for name in self.detailed:
            parts = [m.moments[name] for m in memories]
            mean = torch.stack([p.prediction for p in parts]).sum(0) / draws
            square = torch.stack([p.square for p in parts]).sum(0) / draws
            arrays[f"{name}_mean"] = self._clipped(mean).cpu().numpy()
            arrays[f"{name}_spread"] = (square - mean**2).clamp(min=0).sqrt().cpu().numpy()
            noise = (torch.stack([p.noise for p in parts]).sum(0) / draws).cpu().numpy()
            if not np.allclose(noise, found["noise_variance"], rtol=1e-9, equal_nan=True):
                arrays[f"{name}_noise"] = noise
            if name != "ask":
                arrays[f"{name}_pit"] = (torch.stack([p.below for p in parts]).sum(0) / draws).cpu().numpy()
                density = torch.empty_like(logs[name])
                density[self.sets[name].order] = logs[name] - HALF_LOG_2PI - math.log(draws)
                arrays[f"{name}_log_density"] = density.cpu().numpy()
        return arrays

    def _means(self, sums: Mapping[str, tuple[float, float]]) -> tuple[dict[str, float], dict[str, float]]:
        """Sums over the pairs of each set as means, over those on other ranks too."""
        added = self.model.part.sum(torch.tensor(list(sums.values()), dtype=torch.float64)).reshape(-1, 2).tolist()
        first, second = ({name: each[k] / self.sets[name].total for name, each in zip(sums, added, strict=True)}
                         for k in (0, 1))
        return first, second

    def _add(self, memory: Memory, stack: list[Latents]) -> tuple[Memory, dict[str, tuple[float, float]]]:
        """The memory with these draws in it; by set the sums of the energies of the last of them, and of the logs of
        the totals so far."""
        noise = [float(self.model.noise_of(latents)) for latents in stack]
        draws = memory.draws + len(stack)
        factors = self._stacked(stack) if self.compiled else None
        for name, sums in memory.moments.items():
            if factors:
                predictive_numba.detail(*factors, *self._of_pairs(stack, self.detailed[name]),
                                        *self.detailed_arrays[name], *(x.numpy() for x in vars(sums).values()))
            else:
                predictive_torch.detail(self.model, self.detailed[name], stack, **vars(sums))
        found = {}
        for name, total in memory.total.items():
            if factors:
                found[name] = predictive_numba.score(*factors, *self._of_pairs(stack, self.sorted[name]),
                                                     *self.arrays[name], total.numpy())
            else:
                found[name] = predictive_torch.score(self.model, self.sorted[name], total, stack)
        return replace(memory, draws=draws, noise=memory.noise + sum(noise)), found

    def _stacked(self, stack: list[Latents]) -> tuple[np.ndarray, np.ndarray]:
        """The two factors of every draw's predictions, (D, users, K) and (D, items, K)."""
        products = [self.model.product(latents) for latents in stack]
        U, V = (torch.stack(side) if len(side) > 1 else side[0][None] for side in zip(*products, strict=True))
        return U.contiguous().numpy(), V.contiguous().numpy()

    def _of_pairs(self, stack: list[Latents], at: Ratings) -> Arrays:
        """The noise variance of every draw, (D,), and what the pairs have of their own of it, see
        `predictive_numba.score`."""
        s = [predictive_torch.variance(self.model, latents, at) for latents in stack]
        effects = [self.model.effects(latents, at) for latents in stack]
        none = np.empty((len(stack), 0))
        offset = none if effects[0] is None else np.stack([x.numpy() for x in effects if x is not None])
        if all(x.numel() == 1 for x in s):
            return torch.cat(s).numpy(), offset, none
        return np.ones(len(stack)), offset, torch.stack([x.expand(len(at)) for x in s]).rsqrt_().numpy()

    def _rmse(self, memories: Sequence[Memory]) -> dict[str, float]:
        draws = sum(m.draws for m in memories)
        found = {}
        for name in self.detailed:
            if name != "ask":
                mean = torch.stack([m.moments[name].prediction for m in memories]).sum(0) / draws
                error = self.sets[name].rating - self._clipped(mean)
                found[f"{name}_rmse"] = float((self.model.part.sum((error**2).sum()) / self.sets[name].total).sqrt())
        return found

    def _clipped(self, mean: Tensor) -> Tensor:
        return mean if self.clip is None else mean.clamp(*self.clip)


def ends(ratings: Ratings, part: Part) -> tuple[int, ...]:
    """Where each rank's begin in the order of users."""
    if ratings.scattered:
        return ratings.ends
    return tuple(torch.searchsorted(ratings.by_user.user.cpu(), torch.tensor(part.bounds)).tolist())


def arrays(ratings: Ratings) -> Arrays:
    """Users, items and ratings as the compiled code reads them."""
    user, item = (index.numpy().astype(np.uint32) for index in ratings.pairs)
    return user, item, ratings.rating.numpy()
