"""A saved fit as what predicts: its model, its kept draws, its ids, and what it was trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from errors import InputError
from inference.factorization.fitted import sound
from inference.factorization.fitted.effects import Effects
from inference.factorization.fitted.fold_in import Rows, components, features_of, fold_in
from inference.factorization.fitted.levels import expected_level, interval, of_levels
from inference.factorization.fitted.mixture import Predicted, predicted
from inference.factorization.fitted.model import refuse, saved_model
from inference.method import Latents
from inference.result import Result
from models.factorization import Factorization
from models.features import Featured
from models.ordinal import Ordinal
from models.ratings import Ratings
from models.side_information import Encoding
from models.timed import Timed

BLOCK = 2**23  # numbers of a table at a time
NOBODY = -1  # the number of a user or item that the fit does not know


@dataclass(frozen=True, eq=False)
class Fit:
    """Users and items are numbers here, of their places among `user_ids` and `item_ids`; NOBODY is none of them.

    draws      of all latents, in double precision
    training   the group `constant_data`, see `groups`
    """

    name: str
    family: str
    model: Factorization
    draws: list[Latents]
    user_ids: np.ndarray
    item_ids: np.ndarray
    training: Mapping[str, np.ndarray]
    bounded: bool = False  # whether the scale is known to end where `training["range"]` does
    clips: bool = False  # whether means end there too, as was asked of the fit

    @classmethod
    def of(cls, result: Result, where: str) -> Fit:
        """From a result. Errors: InputError, which says `where` it is, for one that does not hold its draws."""
        said, latents, training = result.facts.get("model"), *(result.groups.get(g) for g in (
            "latents", "constant_data"))
        if result.facts.get("problem") != "factorization" or not isinstance(said, dict):
            raise InputError(f"{where} is no fit of ratings: predictions are made from a result of Problem 2 or 3")
        if not latents or training is None or not {"user", "item"} <= result.coords.keys():
            raise InputError(f"{where} does not hold draws of its factors: take a result of a run's own folder, not of "
                             f"rank1, rank2 and so on below it, or fit again with this version")
        model = saved_model(said, training, where)
        if set(latents) != set(model.sites):
            raise InputError(f"{where} holds draws of {', '.join(sorted(latents))}, and its model has "
                             f"{', '.join(sorted(model.sites))}: fit again with this version")
        sizes = (model.num_users, model.num_items)
        refuse(sound.fault_of_draws(model, latents) or sound.fault_of_names(result.coords, sizes), where)
        flat = {site: torch.from_numpy(np.ascontiguousarray(value.reshape(-1, *value.shape[2:]), dtype=np.float64))
                for site, value in latents.items()}
        draws = [{site: value[d] for site, value in flat.items()} for d in range(len(next(iter(flat.values()))))]
        return cls(result.name, result.family, model, draws, result.coords["user"][1], result.coords["item"][1],
                   training, "bounded" in training and bool(training["bounded"]), bool(result.facts.get("clip")))

    @cached_property
    def levels(self) -> np.ndarray:
        """The stars; none where ratings are on no scale of a few levels."""
        if isinstance(self.model, Ordinal):
            return np.array(self.model.levels)
        return self.training.get("level", np.empty(0))

    @property
    def limits(self) -> tuple[float, float] | None:
        if isinstance(self.model, Ordinal):
            return float(self.model.levels[0]), float(self.model.levels[-1])
        return (float(self.training["range"][0]), float(self.training["range"][1])) if self.bounded else None

    @cached_property
    def by_item(self) -> Effects:
        """What somebody new is predicted from."""
        return Effects.of(self.training, "item")

    @cached_property
    def by_user(self) -> Effects:
        """What something new is predicted from."""
        return Effects.of(self.training, "user")

    def known(self, side: str, index: np.ndarray) -> np.ndarray:
        """Which of these have a rating in the training set."""
        return (index != NOBODY) & (self.training[f"{side}_count"][index] > 0)

    def rated(self, user: int) -> np.ndarray:
        """The items that a user rated in the training set."""
        ends = self._ends
        return self.training["rated_item"][ends[user]:ends[user + 1]].astype(np.int64)

    @cached_property
    def _ends(self) -> np.ndarray:
        return np.concatenate([[0], np.cumsum(self.training["user_count"])]).astype(np.int64)

    @cached_property
    def factors(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """The two matrices of every draw whose rows' inner products are predictions."""
        return [(a.numpy(), b.numpy()) for a, b in (self.model.product(latents) for latents in self.draws)]

    def at(self, user: np.ndarray, item: np.ndarray, time: np.ndarray | None = None) -> Ratings:
        """Pairs of users and items, and when, as the model takes them."""
        who, what = (torch.from_numpy(index.astype(np.int64)) for index in (user, item))
        return Ratings(who, what, torch.zeros(len(user), dtype=torch.float64), len(self.user_ids), len(self.item_ids),
                       time=None if time is None else torch.from_numpy(time))

    def noise(self, at: Ratings) -> np.ndarray:
        """Noise variance of every draw at these, (D, P)."""
        found = (torch.as_tensor(self.model.noise_of(latents, at), dtype=torch.float64) for latents in self.draws)
        return np.stack([variance.expand(len(at)).numpy() for variance in found])

    def effects(self, at: Ratings) -> np.ndarray | float:
        """What is expected of these beyond the factors, (D, P)."""
        found = [self.model.effects(latents, at) for latents in self.draws]
        return np.stack([effect.numpy() for effect in found if effect is not None]) if found[0] is not None else 0.0

    @property
    def encoding(self) -> Encoding | None:
        """How a file about users became features of theirs; None where there was none."""
        return self.model.user_known.encoding if isinstance(self.model, Featured) and self.model.user_known else None

    def folded(self, new: Ratings, known: torch.Tensor | None = None) -> Rows:
        """The rows of the users of `new`, see `fold_in`; `known` is what a file says of them, encoded."""
        try:
            return fold_in(self.model, self.draws, new, features_of(self.model, new, known))
        except torch.linalg.LinAlgError:
            raise InputError(f"the draws of {self.name} say nothing of new users: their precisions are too extreme"
                             ) from None

    def predict(self, user: np.ndarray, item: np.ndarray, inside: float, rows: Rows | None = None,
                time: np.ndarray | None = None) -> Predicted:
        """At pairs of users and items, and times where they are told; `rows`: the users are new ones, by their numbers
        in these."""
        parts = []
        for here in self._blocks(len(user)):
            u, i, t = user[here], item[here], None if time is None else time[here]
            some = self.known("item", i) if rows is not None else self.known("user", u) & self.known("item", i)
            part = self._by_means(u, i, inside, rows)
            if some.any():
                good = self._mixture(u[some], i[some], inside, rows, None if t is None else t[some])
                for name in ("mean", "sd", "low", "high", "probability"):
                    getattr(part, name)[some] = getattr(good, name)
            parts.append(part)
        found = Predicted.joined(parts, self.levels)
        return replace(found, mean=found.mean.clip(*self.limits)) if self.clips and self.limits else found

    def basis(self, user: np.ndarray, item: np.ndarray, new: bool = False) -> np.ndarray:
        """What each pair is predicted from, in words."""
        who = np.ones(len(user), bool) if new else self.known("user", user)
        what = self.known("item", item)
        return np.select([who & what, what, who & (not new)], ["new user" if new else "fit", "item mean", "user mean"],
                         "mean").astype(object)

    def means(self, users: np.ndarray) -> np.ndarray:
        """Predictive means of these users at every item, (users, items)."""
        table = np.zeros((len(users), len(self.item_ids)))
        every = self.at(np.repeat(users, table.shape[1]), np.tile(np.arange(table.shape[1]), len(users))) if isinstance(
            self.model, Timed) else None
        for (A, B), latents in zip(self.factors, self.draws, strict=True):
            here, sd = A[users] @ B.T, np.asarray(self.model.noise_of(latents, every)) ** 0.5
            if every is not None and (effects := self.model.effects(latents, every)) is not None:
                here += effects.reshape(here.shape).numpy()
                sd = sd.reshape(here.shape)
            table += expected_level(here, latents["cutpoints"].numpy(), self.levels, sd) if isinstance(
                self.model, Ordinal) else here
        return table / len(self.draws)

    def _mixture(self, user: np.ndarray, item: np.ndarray, inside: float, rows: Rows | None, time: np.ndarray | None
                 ) -> Predicted:
        m, s = self._components(user, item, rows, time)
        if isinstance(self.model, Ordinal):
            cutpoints = np.stack([latents["cutpoints"].numpy() for latents in self.draws])
            return of_levels(m, s, cutpoints, self.levels, inside)
        return predicted(m, s, self.levels, inside, self.limits)

    def _components(self, user: np.ndarray, item: np.ndarray, rows: Rows | None, time: np.ndarray | None
                    ) -> tuple[np.ndarray, np.ndarray]:
        if rows is not None:
            return components(self.model, self.draws, rows, user, item, time)
        m, at = np.stack([np.einsum("pk,pk->p", A[user], B[item]) for A, B in self.factors]), self.at(user, item, time)
        return m + self.effects(at), self.noise(at)

    def _by_means(self, user: np.ndarray, item: np.ndarray, inside: float, rows: Rows | None) -> Predicted:
        """Of pairs of which one side or both are unknown."""
        found = predicted(*self._others(user, item, rows), self.levels, inside, self.limits)
        if not isinstance(self.model, Ordinal):
            return found
        low, high = interval(found.probability, self.levels, inside)
        return replace(found, low=low, high=high)

    def _others(self, user: np.ndarray, item: np.ndarray, rows: Rows | None) -> tuple[np.ndarray, np.ndarray]:
        """By the means of whichever side is known; one component."""
        m, s = np.full(len(user), self.by_item.overall), np.full(len(user), self.by_item.total)
        sides = [(self.by_item, item, self.known("item", item))]
        if rows is None:
            sides.insert(0, (self.by_user, user, self.known("user", user)))
        for effects, index, some in sides:
            m[some], s[some] = effects.mean[index[some]], effects.variance[index[some]]
        return m[None], np.maximum(s, np.finfo(float).tiny)[None]

    def _blocks(self, count: int) -> Iterator[slice]:
        size = max(1, BLOCK // (len(self.draws) * (self.model.width + 4)))
        return (slice(k, k + size) for k in range(0, count, size))
