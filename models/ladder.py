"""The factorization with more of it learned: the noise, the priors of the rows, biases. Any of them, by name.

    r_n ~ N(centre + unit (u_i . v_j + b_i + c_j), unit^2 sigma^2)        b, c: with `biases`, else absent
    sigma^2 ~ InverseGamma(3, 2)                                 with `noise`, else noise_variance
                                 with `noise-per-user` one variance a user, 1 / w_i: see models/rungs/noise_per_user.py
    (u_i, b_i) ~ N(mean_U, precision_U^-1), (v_j, c_j) ~ N(mean_V, precision_V^-1)      with `hierarchical`,
    mean | precision ~ N(0, (2 precision)^-1), precision ~ Wishart(D, I)                each side its own;
                                                                 else every entry ~ N(0, prior_variance)

Normal-Wishart priors as in Salakhutdinov and Mnih (2008); D = K, or K + 1 with biases. Where the noise is learned,
`standardised` takes centre and unit from the training ratings, so that the answer does not depend on their units: every
latent is in standard units, what is predicted in the ratings' own, and the Jacobian is in the density. Elsewhere they
are 0 and 1, and the variances given are in squared rating units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Wishart

from errors import InputError, short, unknown
from models.densities import gaussian_draw, log_gaussian, log_normal, wishart_draw
from models.factorization import Factorization, gather
from models.model import Latents
from models.ratings import Pairs, Ratings
from models.rungs.noise import Noise
from models.rungs.noise_per_user import NoisePerUser
from models.rungs.rung import Rung

STRENGTH = 2.0  # the prior of a mean counts as much as so many rows
RUNGS = ("noise", "hierarchical", "biases", "noise-per-user")
NAMES = ("plain", *RUNGS, "features", "time", "ordinal")  # of which a model's is made; the last have files of their own
SIDES = (("U", "user_bias"), ("V", "item_bias"))


@dataclass(frozen=True, eq=False)
class Ladder(Factorization):
    """A factorization with any of the rungs: a subclass, because it is the same kind of model with more sites, and
    with no rung it is the plain one. Further latents, by rung:

    noise           sigma2, ()
    noise-per-user  precision_user, (users,), beside sigma2
    biases          user_bias, (users,); item_bias, (items,)
    hierarchical    mean_U, mean_V, (D,); precision_U, precision_V, (D, D)
    """

    noise: bool = False
    hierarchical: bool = False
    biases: bool = False
    noise_per_user: bool = False
    centre: float = 0.0
    unit: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.noise_per_user and not self.noise:
            raise InputError("noise-per-user is about the noise that is learned: take noise+noise-per-user")
        if not (math.isfinite(self.centre) and 0 < self.unit < math.inf):
            raise InputError(f"centre must be a finite number and unit a positive one, not {self.centre} and "
                             f"{self.unit}")
        if (self.centre, self.unit) != (0.0, 1.0) and not self.noise:
            raise InputError(f"centre {self.centre:g} and unit {self.unit:g} are for a model that learns its noise: "
                             f"a noise variance that is given is in squared rating units; leave them at 0 and 1")

    @property
    def width(self) -> int:
        """D: the factors and, where there are biases, one."""
        return self.rank + self.biases

    @property
    def standard(self) -> bool:
        """Whether the latents are in units of their own, whatever those of the ratings are."""
        return self.noise

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Those that the rows know nothing of."""
        if not self.noise:
            return ()
        return (NoisePerUser(self.num_users, self.part),) if self.noise_per_user else (Noise(),)

    @property
    def sites(self) -> dict[str, tuple[int, ...]]:
        found = super().sites
        if self.biases:
            found |= {"user_bias": (self.num_users,), "item_bias": (self.num_items,)}
        for rung in self.rungs:
            found |= rung.sites
        if self.hierarchical:
            for side in "UV":
                found |= {f"mean_{side}": (self.width,), f"precision_{side}": (self.width, self.width)}
        return found

    def log_joint(self, latents: Latents, data: Ratings) -> Tensor:
        """log p(latents, r) in nats, every constant included."""
        total = self._log_rows(latents)
        if self.hierarchical:
            wishart = self._wishart()
            for side in "UV":
                mean, precision = latents[f"mean_{side}"], latents[f"precision_{side}"]
                total = total + wishart.log_prob(precision) + log_gaussian(mean, 0 * mean, STRENGTH * precision)
        for rung in self.rungs:
            total = total + rung.log_prior(latents)
        variance = torch.as_tensor(self.noise_of(latents, data), dtype=torch.float64)
        error = data.rating - self.expected(latents, data)
        return total - self.part.sum(0.5 * (error**2 / variance + torch.log(2 * math.pi * variance)).sum(-1))

    def noise_of(self, latents: Latents, at: Ratings | None = None) -> Tensor | float:
        if not self.noise:
            return self.noise_variance
        if at is None:
            return self.unit**2 * latents["sigma2"]
        if self.noise_per_user:
            return self.unit**2 / latents["precision_user"].index_select(-1, at.user)
        return self.unit**2 * latents["sigma2"][..., None]

    def _log_rows(self, latents: Latents) -> Tensor:
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        for side, _ in SIDES:
            rows = self.rows(latents, side)
            if self.hierarchical:
                precision = latents[f"precision_{side}"]
                here = log_gaussian(rows, self.row_means(latents, side), precision[..., None, :, :]).sum(-1)
            else:
                here = log_normal(rows, 0.0, self.prior_variance).sum((-2, -1))
            total = total + (self.part.sum(here) if side == "U" else here)
        return total

    def prior(self, rng: torch.Generator) -> Latents:
        def normal(*shape: int) -> Tensor:
            return torch.randn(shape, generator=rng, dtype=torch.float64, device=rng.device)

        found: Latents = {}
        for rung in self.rungs:
            found |= rung.prior(rng)
        D = self.width
        for side, count in zip("UV", (self.num_users, self.num_items), strict=True):
            rows = math.sqrt(self.prior_variance) * normal(count, D)
            if self.hierarchical:
                precision = wishart_draw(rng, float(D), torch.eye(D, dtype=torch.float64, device=rng.device))
                mean = gaussian_draw(normal(D), torch.zeros_like(normal(D)), STRENGTH * precision)
                found |= {f"mean_{side}": mean, f"precision_{side}": precision}
                found |= self.more_of_rows(rng, side, precision)
                rows = gaussian_draw(normal(count, D), self.row_means(found, side), precision)
            found |= self.from_rows(rows, side)
        return found

    def row_means(self, latents: Latents, side: str) -> Tensor:
        """The prior means of a side's rows where they are learned, (rows, D), or (1, D) where they are one."""
        return latents[f"mean_{side}"][..., None, :]

    def more_of_rows(self, rng: torch.Generator, side: str, precision: Tensor) -> Latents:
        """What else decides the prior means of a side's rows, drawn from its prior: nothing."""
        return {}

    def simulate(self, rng: torch.Generator, latents: Latents) -> Ratings:
        plain = Factorization.simulate(self, rng, latents)
        if not self.noise:
            return plain
        mean = self.quantities(latents)["prediction"]
        scale = torch.sqrt(torch.as_tensor(self.noise_of(latents, plain)) / self.noise_variance)
        rating = self.expected(latents, plain) + scale * (plain.rating - mean)
        return replace(plain, rating=rating)

    def quantities(self, latents: Latents, pairs: Pairs | None = None) -> dict[str, Tensor]:
        pairs = self.pairs if pairs is None else pairs
        found = super().quantities(latents, pairs)
        if self.biases and pairs is not None:
            user, item = pairs
            mean = found["prediction"] + gather(latents["user_bias"][..., None], user)[..., 0]
            found["prediction"] = mean + gather(latents["item_bias"][..., None], item)[..., 0]
        return {name: self.centre + self.unit * value for name, value in found.items()}

    def regressors(self, other: Tensor) -> tuple[Tensor, Tensor | None]:
        """unit (v_j, 1) and centre + unit c_j, of whole rows (v_j, c_j)."""
        if self.biases:
            rows = torch.cat([other[:, :-1], torch.ones_like(other[:, :1])], 1)
            return self.unit * rows, self.centre + self.unit * other[:, -1]
        return self.unit * other, torch.full_like(other[:, 0], self.centre) if self.centre else None

    def product(self, latents: Latents) -> tuple[Tensor, Tensor]:
        """unit (u, b, 1) + (0, centre, 0) and (v, 1, c): their inner products are the predictions."""
        U, V = latents["U"], latents["V"]
        if self.biases:
            b, c = latents["user_bias"][..., None], latents["item_bias"][..., None]
            one = torch.ones_like(b)
            return (torch.cat([self.unit * U, self.centre + self.unit * b, self.unit * one], -1),
                    torch.cat([V, torch.ones_like(c), c], -1))
        if not self.centre:
            return self.unit * U, V
        return (torch.cat([self.unit * U, torch.full_like(U[..., :1], self.centre)], -1),
                torch.cat([V, torch.ones_like(V[..., :1])], -1))

    def product_sites(self, users: Tensor, items: Tensor) -> Latents:
        if not self.biases:
            return super().product_sites(users, items)
        K = self.rank
        return {"U": users[..., :K], "V": items[..., :K], "user_bias": users[..., K], "item_bias": items[..., K + 1]}

    def rows(self, latents: Latents, side: str) -> Tensor:
        """(u_i, b_i) of all users, or (v_j, c_j) of all items: (rows, D)."""
        if not self.biases:
            return super().rows(latents, side)
        return torch.cat([latents[side], latents[dict(SIDES)[side]][..., None]], -1)

    def from_rows(self, rows: Tensor, side: str) -> Latents:
        if not self.biases:
            return super().from_rows(rows, side)
        return {side: rows[..., :-1].contiguous(), dict(SIDES)[side]: rows[..., -1].contiguous()}

    def _wishart(self) -> Wishart:
        D = self.width
        return Wishart(torch.tensor(float(D), dtype=torch.float64, device=self.device),
                       precision_matrix=torch.eye(D, dtype=torch.float64, device=self.device), validate_args=False)

    def program(self, data: Ratings, batch_size: int | None = None, batch: Tensor | None = None) -> None:
        """The same as a Pyro program: the sites above in the order in which they depend on each other, in the plain
        one's plates, with its minibatches. A row and its bias are one draw, in two sites.
        """
        import pyro
        import pyro.distributions as dist

        zero, K = data.rating.new_zeros(()), self.rank
        latents: Latents = {}
        for rung in self.rungs:
            latents |= rung.program(zero)
        for (side, bias), plate, count in zip(SIDES, ("users", "items"), (self.num_users, self.num_items), strict=True):
            if not self.hierarchical:
                entry = dist.Normal(zero, zero + math.sqrt(self.prior_variance))
                with pyro.plate(plate, count):
                    latents[side] = pyro.sample(side, entry.expand([K]).to_event(1))
                    if self.biases:
                        latents[bias] = pyro.sample(bias, entry)
                continue
            mean, precision = self._row_prior(side, zero)
            with pyro.plate(plate, count):
                covariance = torch.linalg.inv(precision)
                latents[side] = pyro.sample(side, dist.MultivariateNormal(mean[..., :K], covariance[:K, :K]))
                if self.biases:  # b_i given u_i, from the precision of both
                    own = precision[K, K]
                    shifted = mean[..., K] - ((latents[side] - mean[..., :K]) @ precision[:K, K]) / own
                    latents[bias] = pyro.sample(bias, dist.Normal(shifted, own.rsqrt()))
        self.observe(latents, data, batch_size, batch)

    def _row_prior(self, side: str, zero: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and precision of a side's rows, as sites of the program."""
        import pyro
        import pyro.distributions as dist

        D = self.width
        eye = torch.eye(D, dtype=zero.dtype, device=zero.device)
        precision = pyro.sample(f"precision_{side}", dist.Wishart(zero + D, precision_matrix=eye))
        mean = pyro.sample(f"mean_{side}", dist.MultivariateNormal(eye.new_zeros(D),
                                                                   precision_matrix=STRENGTH * precision))
        return mean, precision


def make(name: str, num_users: int, num_items: int, rank: int, **more: Any) -> Factorization:
    """`plain`, or rungs joined by +: `noise`, `hierarchical`, `biases`, `hierarchical+biases`, ..."""
    if name == "plain":
        return Factorization(num_users, num_items, rank, **more)
    rungs = name.split("+")
    for rung in rungs:
        if rung not in RUNGS:
            if rung == "plain":
                raise InputError(f"plain is the model without any rung: leave it out of '{short(name)}'")
            raise unknown("rung of the model", rung, NAMES)
    chosen: dict[str, Any] = dict.fromkeys((rung.replace("-", "_") for rung in rungs), True)
    return replace(Ladder(num_users, num_items, rank, **more), **chosen)


def standardised(model: Factorization, ratings: Ratings) -> Factorization:
    """The model in standard units, if it learns its noise: centre and unit are the mean and the sd of these ratings.

    With fewer than two different ratings the unit is 1.
    """
    if not isinstance(model, Ladder) or not model.noise or not ratings.total:
        return model
    centre, spread = ratings.mean, math.sqrt(ratings.variance)
    return replace(model, centre=centre, unit=spread if spread > 1e-12 * abs(centre) else 1.0)
