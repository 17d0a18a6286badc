"""Ratings as ordered levels: a rating is the level whose thresholds a noisy number falls between (ordered probit).

    y_n ~ N(u_i . v_j + b_i + c_j, 1)       r_n = level k  if  t_{k-1} < y_n <= t_k,      t_0 = -inf, t_L = inf
    t_1 = x_1, t_k = t_{k-1} + exp(x_k)     x_1 ~ N(1 - L/2, 4), x_k ~ N(0, 1),  k = 2..L-1
    P(r = level k | rest) = Phi(t_k - eta) - Phi(t_{k-1} - eta),      eta = u_i . v_j + b_i + c_j

Only the order of the levels is used. Thumbs, 0 and 1, are its case of two levels and one threshold. What is predicted
is a probability of each level, and their mean, which never leaves the scale. Nothing is in rating units but that. With
features eta has theirs, with time the effects of its day and period, in units of the noise, and where these are not
known (`rungs/time.py`) the 1 is their variance more.

Source: Albert and Chib (1993), Bayesian analysis of binary and polychotomous response data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from errors import InputError
from models.densities import log_normal
from models.factorization import Factorization
from models.features import Featured
from models.features import named as named_untimed
from models.ladder import Ladder
from models.model import Latents
from models.ratings import Pairs, Ratings
from models.timed import Timed, TimedFeatured
from models.timed import fitted as fitted_continuous
from models.timed import named as named_continuous

MOST_LEVELS = 21
FIRST_SD = 2.0  # of x_1
FAR = 1e8  # in the place of infinity, so that slopes are numbers


@dataclass(frozen=True, eq=False)
class Ordinal(Ladder):
    """A further latent: `cutpoints`, (levels - 1,), ascending; `levels` are the possible ratings."""

    levels: Sequence[float] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.noise or self.noise_variance != 1:
            raise InputError("with ordinal the noise is 1, and the cutpoints say what a level is worth: leave noise "
                             "out, and its variance")

    @property
    def standard(self) -> bool:
        return True

    @property
    def levels_at(self) -> Tensor:
        """The levels, (L,). Errors: InputError where the model has not seen any ratings."""
        if len(self.levels) < 2:
            raise InputError("this model has no levels yet: `crosscheck.fitted(model, ratings)` takes them from "
                             "the ratings")
        return torch.tensor(list(self.levels), dtype=torch.float64, device=self.device)

    @property
    def sites(self) -> dict[str, tuple[int, ...]]:
        return super().sites | {"cutpoints": (len(self.levels_at) - 1,)}

    def codes(self, data: Ratings) -> Tensor:
        """Which level each rating is, counted from 0. Errors: InputError for one that is none."""
        levels = self.levels_at
        found = torch.searchsorted(levels, data.rating).clamp(max=len(levels) - 1)
        wrong = levels[found] != data.rating
        if bool(wrong.any()):
            raise InputError(f"a rating is {float(data.rating[wrong][0]):g}, which is none of the levels of --model "
                             f"ordinal, {', '.join(f'{level:g}' for level in self.levels)}")
        return found

    def log_joint(self, latents: Latents, data: Ratings) -> Tensor:
        """log p(latents, r) in nats; of the levels probabilities, not densities."""
        cut = latents["cutpoints"]
        gaps = cut.diff(dim=-1).log()
        total = super().log_joint(latents, self.blank())
        total = total + log_normal(cut[..., 0], self.first_mean, FIRST_SD**2)
        total = total + (log_normal(gaps, 0.0, 1.0) - gaps).sum(-1)
        return total + self.log_probability(latents, data).sum(-1) if len(data) else total

    @property
    def first_mean(self) -> float:
        """Of x_1, so that the thresholds lie about 0."""
        return 1 - len(self.levels) / 2

    def latent_mean(self, latents: Latents, at: Ratings) -> Tensor:
        """eta of these ratings, (..., N)."""
        eta, more = super().quantities(latents, at.pairs)["prediction"], self.effects(latents, at)
        return eta if more is None else eta + more

    def log_probability(self, latents: Latents, at: Ratings) -> Tensor:
        """Of the levels that these ratings are, (..., N), in nats."""
        eta, variance = self.latent_mean(latents, at), self.noise_of(latents, at)
        return log_probability(eta, latents["cutpoints"], self.codes(at), variance)

    def probabilities(self, latents: Latents, at: Ratings) -> Tensor:
        """Of every level at these pairs, (..., N, L)."""
        return probabilities(self.latent_mean(latents, at), latents["cutpoints"], self.noise_of(latents, at))

    def expected(self, latents: Latents, at: Ratings) -> Tensor:
        return self.probabilities(latents, at) @ self.levels_at

    def quantities(self, latents: Latents, pairs: Pairs | None = None) -> dict[str, Tensor]:
        """`prediction`: the mean of a rating, in its own units, without effects of time."""
        found = super().quantities(latents, pairs)
        return {name: probabilities(eta, latents["cutpoints"]) @ self.levels_at for name, eta in found.items()}

    def prior(self, rng: torch.Generator) -> Latents:
        x = torch.randn(len(self.levels_at) - 1, generator=rng, dtype=torch.float64, device=rng.device)
        return super().prior(rng) | {"cutpoints": self.cutpoints_of(x)}

    def cutpoints_of(self, x: Tensor) -> Tensor:
        """From N(0, 1) noise, (..., L - 1)."""
        first = self.first_mean + FIRST_SD * x[..., :1]
        return torch.cat([first, first + x[..., 1:].exp().cumsum(-1)], -1)

    def simulate(self, rng: torch.Generator, latents: Latents) -> Ratings:
        """Ratings at `pairs`."""
        if self.pairs is None:
            raise InputError("this factorization does not say where its ratings are; give it (user, item) `pairs`")
        mean = self.latent_mean(latents, self.at_pairs(torch.zeros(len(self.pairs[0]), dtype=torch.float64)))
        y = mean + torch.randn(mean.shape, generator=rng, dtype=mean.dtype, device=mean.device)
        return self.at_pairs(self.levels_at[torch.searchsorted(latents["cutpoints"].contiguous(), y)])

    def small(self, rng: torch.Generator) -> tuple[Factorization, Ratings]:
        return super().small(rng) if self.levels else replace(self, levels=(1.0, 2.0, 3.0)).small(rng)

    def facts(self, data: Ratings) -> dict[str, Any]:
        found = super().facts(data)
        return found | {"model": found["model"] | {"levels": list(self.levels)}}

    def observe(self, latents: Latents, data: Ratings, *more: Any) -> None:
        """The part of the Pyro program about ratings: the cutpoints, and of each rating which level it is."""
        import pyro
        import pyro.distributions as dist
        from pyro.distributions.transforms import OrderedTransform

        batch_size, batch = more[-2:]
        loc, scale = data.rating.new_zeros(len(self.levels_at) - 1), data.rating.new_ones(len(self.levels_at) - 1)
        loc[0], scale[0] = self.first_mean, FIRST_SD
        cut = pyro.sample("cutpoints", dist.TransformedDistribution(dist.Normal(loc, scale).to_event(1),
                                                                    [OrderedTransform()]))
        if batch_size is not None:
            data.check_batch(batch_size)
        ratings = pyro.plate("ratings", len(data), batch_size, subsample=batch, device=str(data.device))
        with ratings:
            here = data if batch is None and batch_size is None else data.take(ratings.indices)
            eta, code = self.latent_mean(latents, here), self.codes(here)
            logits = [log_probability(eta, cut, torch.full_like(code, k)) for k in range(len(self.levels))]
            pyro.sample("r", dist.Categorical(logits=torch.stack(logits, -1)), obs=code)


@dataclass(frozen=True, eq=False)
class OrdinalFeatured(Ordinal, Featured):
    """Levels, and features of users and items."""


@dataclass(frozen=True, eq=False)
class OrdinalTimed(Ordinal, Timed):
    """Levels, and effects of time."""


@dataclass(frozen=True, eq=False)
class OrdinalTimedFeatured(Ordinal, TimedFeatured):
    """Levels, effects of time, and features of users and items."""


KINDS = {(False, False): Ordinal, (True, False): OrdinalFeatured, (False, True): OrdinalTimed,
         (True, True): OrdinalTimedFeatured}  # by whether there are features, and time


def log_probability(eta: Tensor, cutpoints: Tensor, code: Tensor, variance: Tensor | float = 1.0) -> Tensor:
    """log P(r = level `code`), (..., N), in nats, exact in both tails; `variance` is that of y about eta."""
    far = torch.full_like(cutpoints[..., :1], FAR)
    edges, sd = torch.cat([-far, cutpoints, far], -1), variance**0.5
    low, high = (((edges[..., k] if k.ndim == 1 else edges.gather(-1, k)) - eta) / sd for k in (code, code + 1))
    return log_between(low, high)


def log_between(low: Tensor, high: Tensor) -> Tensor:
    """log(Phi(high) - Phi(low)), by the lower of the two tails that it may be seen as; no end is infinite."""
    flip = low > 0
    low, high = torch.where(flip, -high, low), torch.where(flip, -low, high)
    top = torch.special.log_ndtr(high)
    return top + torch.log(-torch.expm1(torch.special.log_ndtr(low) - top))


def probabilities(eta: Tensor, cutpoints: Tensor, variance: Tensor | float = 1.0) -> Tensor:
    """P(r = level k) at every k, (..., N, L); `variance` is that of y about eta.

    >>> probabilities(torch.zeros(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64))
    tensor([[0.5000, 0.5000]], dtype=torch.float64)
    """
    variance = torch.as_tensor(variance, dtype=eta.dtype, device=eta.device)
    z = (cutpoints[..., None, :] - eta[..., None]) / variance[..., None].sqrt()
    below = torch.special.ndtr(z)
    one = torch.ones_like(below[..., :1])
    return torch.cat([below, one], -1).diff(dim=-1, prepend=0 * one)


def levels_of(ratings: Ratings) -> tuple[float, ...]:
    """The possible ratings: whole numbers of a told scale, else those that occur. Errors: InputError for too many."""
    found = torch.unique(ratings.rating)
    if ratings.scale and bool((found % 1 == 0).all()) and ratings.scale[1] - ratings.scale[0] < MOST_LEVELS and not (
            ratings.scale[0] % 1 or ratings.scale[1] % 1):
        low, high = ratings.scale
        return tuple(low + k for k in range(int(high - low) + 1))
    if not 2 <= len(found) <= MOST_LEVELS:
        raise InputError(f"--model ordinal is for ratings of 2 to {MOST_LEVELS} levels, and these have {len(found):,} "
                         f"different values: leave ordinal out, and take noise")
    return tuple(found.tolist())


def fitted(model: Factorization, ratings: Ratings) -> Factorization:
    """The model as the training ratings make it: their units, the features of their pairs, days, levels."""
    model = fitted_continuous(model, ratings)
    return replace(model, levels=levels_of(ratings)) if isinstance(model, Ordinal) else model


def named(name: str, num_users: int, num_items: int, rank: int, **more: Any) -> Factorization:
    """As `models.timed.named`, with `ordinal` among the rungs: then prior variances are in units of the noise's, and
    1 unless given."""
    rungs = name.split("+")
    if "ordinal" not in rungs:
        return named_continuous(name, num_users, num_items, rank, **more)
    more = {"prior_variance": 1.0} | more
    others = [rung for rung in rungs if rung not in ("ordinal", "time")]
    like = named_untimed("+".join(others), num_users, num_items, rank, **more) if others else \
        Ladder(num_users, num_items, rank, **more)
    kind = KINDS[isinstance(like, Featured), "time" in rungs]
    return kind(**{f.name: getattr(like, f.name) for f in fields(like)})
