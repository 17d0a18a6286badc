"""Many sets of ratings at the same (user, item) pairs: the data of many replicates at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from checks.problems.problem import Index
from models.ratings import Pairs, Ratings


@dataclass(frozen=True, eq=False)
class Replicates:
    """As `Ratings`, but `rating` is (n, N): one row a replicate."""

    user: Int64[Tensor, "N"]
    item: Int64[Tensor, "N"]
    rating: Float64[Tensor, "n N"]
    num_users: int
    num_items: int
    time: Int64[Tensor, "N"] | None = None

    def __len__(self) -> int:
        """Ratings of one replicate."""
        return len(self.user)

    @property
    def pairs(self) -> Pairs:
        return self.user, self.item

    @property
    def device(self) -> torch.device:
        return self.rating.device

    def one(self, r: int) -> Ratings:
        """The data of one replicate."""
        return Ratings(self.user, self.item, self.rating[r], self.num_users, self.num_items, time=self.time)

    def replicates(self, index: Index) -> Replicates:
        return replace(self, rating=self.rating[index])

    def joined(self, parts: list[Replicates]) -> Replicates:
        return replace(self, rating=torch.cat([part.rating for part in parts]))
