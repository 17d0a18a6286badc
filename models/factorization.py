"""Bayesian matrix factorization of ratings.

    U_ik ~ N(0, prior_variance)      i = 1..num_users, k = 1..K
    V_jk ~ N(0, prior_variance)      j = 1..num_items
    r_n  ~ N(u_i . v_j, noise_variance)      for every observed pair n = (i, j)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

import torch
from jaxtyping import Int64
from torch import Tensor

from errors import InputError
from models.densities import log_normal
from models.model import Latents, described
from models.ratings import Pairs, Ratings
from ranks.part import WHOLE, Part

SMALL = ((0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 2), (1, 3), (2, 1), (2, 0), (3, 2), (3, 0), (5, 3))  # 6 x 4


@dataclass(frozen=True, eq=False)
class Factorization:
    """Latents are `U`, (..., num_users, K), and `V`, (..., num_items, K), in float64.

    Variances are in squared rating units. `pairs` says where `simulate` puts ratings.
    """

    num_users: int
    num_items: int
    rank: int
    prior_variance: float = 5.0
    noise_variance: float = 1.0
    pairs: Pairs | None = field(default=None, repr=False)
    device: torch.device | str = "cpu"
    part: Part = field(default=WHOLE, repr=False)  # the users that this is of, where they are divided among ranks

    kind: ClassVar[str] = "factorization"
    labels: ClassVar[dict[str, int]] = {}
    dims: ClassVar[dict[str, tuple[str, ...]]] = {
        "posterior/U": ("user", "factor"), "posterior/V": ("item", "factor"), "posterior/prediction": ("pair",),
        "posterior/user_bias": ("user",), "posterior/item_bias": ("item",), "posterior/precision_user": ("user",),
        **{f"{group}/r": ("rating",) for group in ("log_likelihood", "posterior_predictive", "observed_data")},
        **{f"constant_data/{side}_{what}": (side,) for side in ("user", "item") for what in ("count", "mean")},
        **{f"constant_data/{side}_known": (side, f"{side}_feature") for side in ("user", "item")},
        **{f"constant_data/{site}_{what}": (site,) for site in ("user_day", "item_period")
           for what in ("row", "period", "count")},
        "constant_data/rated_item": ("rated",), "constant_data/level": ("star",), "constant_data/range": ("end",),
        "constant_data/level_count": ("star",),
        **{f"constant_data/{what}": ("test",) for what in ("test_of_user", "test_of_item", "test_rating")},
        "expected/U_mean": ("user", "factor"), "expected/U_var": ("user", "factor"),
        "expected/V_mean": ("item", "factor"), "expected/V_var": ("item", "factor"),
        "expected/prediction": ("pair",), "expected/prediction_var": ("pair",),
        **{f"expected/{of}_{what}": (of,) for of in ("test", "ask")
           for what in ("mean", "spread", "pit", "log_density", "noise")}}

    def __post_init__(self) -> None:
        if self.num_users < 1 or self.num_items < 1:
            raise InputError(f"a factorization needs at least one user and one item, "
                             f"not {self.num_users} and {self.num_items}")
        if not isinstance(self.rank, int):
            raise InputError(f"the rank must be a whole number, not {self.rank!r}")
        if not 1 <= self.rank <= self.num_items:
            raise InputError(f"the rank must lie between 1 and the number of items, {self.num_items}, not {self.rank}")
        for name in ("prior_variance", "noise_variance"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name} must be a positive finite number, not {getattr(self, name)}")

    def to(self, device: torch.device | str) -> Factorization:
        pairs = None if self.pairs is None else (self.pairs[0].to(device), self.pairs[1].to(device))
        return replace(self, pairs=pairs, device=device)

    @property
    def sites(self) -> dict[str, tuple[int, ...]]:
        """The latent sites and their shapes."""
        return {"U": (self.num_users, self.rank), "V": (self.num_items, self.rank)}

    def noise_of(self, latents: Latents, at: Ratings | None = None) -> Tensor | float:
        """The noise variance, in squared rating units: what is learned of it, or what is given. That of the ratings
        `at`, (..., N) or (..., 1), where it is learned; without them the typical one, (...).
        """
        return self.noise_variance

    def effects(self, latents: Latents, at: Ratings) -> Tensor | None:
        """What is expected of these ratings beyond `quantities`, (..., N), rating units: of what a pair does not say.
        Nothing here."""
        return None

    def expected(self, latents: Latents, at: Ratings) -> Tensor:
        """The means of these ratings given the latents, (..., N)."""
        mean, more = self.quantities(latents, at.pairs)["prediction"], self.effects(latents, at)
        return mean if more is None else mean + more

    def log_joint(self, latents: Latents, data: Ratings) -> Tensor:
        """log p(U, V, r) in nats, every constant included; leading dimensions of the latents are batches."""
        U, V = (log_normal(latents[site], 0.0, self.prior_variance).sum((-2, -1)) for site in "UV")
        mean = self.quantities(latents, data.pairs)["prediction"]
        return self.part.sum(U) + V + self.part.sum(log_normal(data.rating, mean, self.noise_variance).sum(-1))

    def prior(self, rng: torch.Generator) -> Latents:
        """U and V drawn from the prior, on the generator's device."""
        sd = math.sqrt(self.prior_variance)
        return {site: sd * torch.randn(shape, generator=rng, dtype=torch.float64, device=rng.device)
                for site, shape in self.sites.items()}

    def somewhere(self, rng: torch.Generator) -> Latents:
        """A draw from the prior."""
        return self.prior(rng)

    def simulate(self, rng: torch.Generator, latents: Latents) -> Ratings:
        """Ratings at `pairs` drawn from N(u_i . v_j, noise_variance): real numbers, not rounded."""
        if self.pairs is None:
            raise InputError("this factorization does not say where its ratings are; give it (user, item) `pairs`")
        mean = self.quantities(latents)["prediction"]
        noise = torch.randn(mean.shape, generator=rng, dtype=mean.dtype, device=mean.device)
        return self.at_pairs(mean + math.sqrt(self.noise_variance) * noise)

    def at_pairs(self, rating: Tensor) -> Ratings:
        """These ratings at `pairs`."""
        assert self.pairs is not None
        return Ratings(*self.pairs, rating, self.num_users, self.num_items)

    def quantities(self, latents: Latents, pairs: Pairs | None = None) -> dict[str, Tensor]:
        """What methods are compared on: `prediction`, u_i . v_j at `pairs`, shape (..., N), rating units.

        `pairs` are the model's unless given; without any there is nothing to compare: U and V themselves are
        known only up to rotation and sign.
        """
        pairs = self.pairs if pairs is None else pairs
        if pairs is None:
            return {}
        user, item = pairs
        return {"prediction": (gather(latents["U"], user) * gather(latents["V"], item)).sum(-1)}

    def blank(self) -> Ratings:
        """No ratings."""
        none = torch.empty(0, dtype=torch.int64, device=self.device)
        return Ratings(none, none, none.double(), self.num_users, self.num_items)

    def check_data(self, data: Ratings) -> None:
        if not hasattr(data, "num_users"):
            raise InputError(f"a factorization is observed through ratings, as `load_ratings` reads them, not through "
                             f"{described(data)}")
        if (data.num_users, data.num_items) != (self.num_users, self.num_items):
            raise InputError(f"the ratings are of {data.num_users} users and {data.num_items} items, and the model "
                             f"is of {self.num_users} and {self.num_items}: make the model from the ratings' sizes")

    def small(self, rng: torch.Generator) -> tuple[Factorization, Ratings]:
        """Six users, one of them without ratings, and four items; ratings drawn from the model."""
        model = self.reduced()
        return model, model.simulate(rng, model.prior(rng))

    def reduced(self) -> Factorization:
        """The same of so few."""
        user, item = torch.tensor(SMALL).T.contiguous()
        return replace(self, num_users=6, num_items=4, rank=min(self.rank, 4), pairs=(user, item), device="cpu")

    def facts(self, data: Ratings) -> dict[str, Any]:
        """The class, and those of the fields that are numbers or words and say what it believes; how many ratings, and
        which."""
        said = {f.name: getattr(self, f.name) for f in fields(self) if f.repr and f.name != "device"}
        return {"model": {"class": type(self).__name__} | said, "data": {"train": data.facts}}

    def of(self, part: Part) -> Factorization:
        """The same of the users of a part; its log joint is still that of all."""
        return replace(self, num_users=part.users.stop - part.users.start, part=part, pairs=None)

    def part_of(self, site: str) -> Part:
        """Which rows of a site are here: those of the part's users, where it has a row a user."""
        return self.part if self.dims.get(f"posterior/{site}", ("",))[0] == "user" else WHOLE

    @property
    def besides(self) -> tuple[str, ...]:
        """All but U and V."""
        return tuple(self.sites)[2:]

    def given(self) -> str:
        return f"a factorization, latents {', '.join(self.sites)}, and the ratings as data"

    @property
    def width(self) -> int:
        """Numbers that a row has."""
        return self.rank

    def rows(self, latents: Latents, side: str) -> Tensor:
        """All that is inferred of the users (side "U") or of the items ("V"): (rows, width)."""
        return latents[side]

    def from_rows(self, rows: Tensor, side: str) -> Latents:
        """The latents that `rows` was made of."""
        return {side: rows}

    def regressors(self, other: Tensor) -> tuple[Tensor, Tensor | None]:
        """What a row's ratings are linear in, given the other side's rows, and what comes off them first: nothing."""
        return other, None

    def product(self, latents: Latents) -> tuple[Tensor, Tensor]:
        """Two matrices, (users, any) and (items, as many), whose rows' inner products are the predictions."""
        return latents["U"], latents["V"]

    def product_sites(self, users: Tensor, items: Tensor) -> Latents:
        """The columns of two such matrices, by the site that each belongs to."""
        return {"U": users, "V": items}

    def program(self, data: Ratings, batch_size: int | None = None, batch: Int64[Tensor, "n"] | None = None) -> None:
        """The same model as a Pyro program: plates `users`, `items`, `ratings`; sites `U`, `V`, `r`.

        A minibatch is `batch_size` ratings drawn by Pyro, or the positions `batch`; either way the plate
        scales their log-likelihood by N / n, so it is unbiased for that of all N.
        """
        import pyro
        import pyro.distributions as dist

        zero = data.rating.new_zeros(())
        entry = dist.Normal(zero, zero + math.sqrt(self.prior_variance)).expand([self.rank]).to_event(1)
        with pyro.plate("users", self.num_users):
            U = pyro.sample("U", entry)
        with pyro.plate("items", self.num_items):
            V = pyro.sample("V", entry)
        self.observe({"U": U, "V": V}, data, batch_size, batch)

    def observe(self, latents: Latents, data: Ratings, batch_size: int | None, batch: Tensor | None) -> None:
        """The part of `program` that every model shares: the plate of ratings, whole or a minibatch."""
        import pyro
        import pyro.distributions as dist

        if batch_size is not None:
            data.check_batch(batch_size)
        ratings = pyro.plate("ratings", len(data), batch_size, subsample=batch, device=str(data.device))
        with ratings:
            here = data if batch is None and batch_size is None else data.take(ratings.indices)
            sd = (data.rating.new_zeros(()) + self.noise_of(latents, here)).sqrt()
            pyro.sample("r", dist.Normal(self.expected(latents, here), sd), obs=here.rating)


def gather(rows: Tensor, index: Tensor) -> Tensor:
    """Rows of (..., n, K) at `index`: (..., N, K).

    >>> gather(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([1, 1, 0]))
    tensor([[3., 4.],
            [3., 4.],
            [1., 2.]])
    """
    return rows.index_select(-2, index)
