"""The ladder with effects of time: what is expected of a rating depends on its day and period, see `rungs/time.py`."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor

from errors import InputError
from models.factorization import Factorization
from models.features import Featured
from models.features import fitted as fitted_untimed
from models.features import named as named_untimed
from models.ladder import Ladder
from models.model import Latents
from models.ratings import Ratings
from models.rungs.rung import Rung
from models.rungs.time import DAY, Calendar, Cells, Time


@dataclass(frozen=True, eq=False)
class Timed(Ladder):
    """Further latents: `user_day`, (days,), `item_period`, (periods,), and `precision_day`, `precision_period`, ().

    `calendar` says which days and periods there are, `times` when the ratings at `pairs` are that `simulate` makes.
    """

    calendar: Calendar | None = field(default=None, repr=False)
    times: Tensor | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.standard:
            raise InputError("the effects of time are in the units of the noise that is learned: take noise+time, "
                             "or ordinal+time")

    @property
    def of_time(self) -> Time:
        """The rung. Errors: InputError where the model has not seen the training ratings."""
        if self.calendar is None:
            raise InputError("this model has no days yet: `crosscheck.fitted(model, ratings)` takes them from the "
                             "training ratings")
        return Time(self.calendar)

    @property
    def rungs(self) -> tuple[Rung, ...]:
        return (*super().rungs, self.of_time)

    def effects(self, latents: Latents, at: Ratings) -> Tensor | None:
        return self.unit * self.of_time.effects(latents, at)

    def noise_of(self, latents: Latents, at: Ratings | None = None) -> Tensor | float:
        """With the variance of what is not known of these ratings' times."""
        noise = super().noise_of(latents, at)
        more = None if at is None else self.of_time.unknown(latents, at)
        return noise if more is None else noise + self.unit**2 * more

    def of_strangers(self, latents: Latents, at: Ratings) -> tuple[Tensor, Tensor]:
        """Effects and noise variances, (N,), of ratings by users whose days nobody knows."""
        time = Time(Calendar(Cells.none("user", at.num_users, 1), self.of_time.calendar.item))
        given = latents | {"user_day": torch.zeros_like(latents["precision_day"])[..., None]}
        unknown = time.unknown(given, at)
        assert unknown is not None  # their days
        return self.unit * time.effects(given, at), super().noise_of(latents) + self.unit**2 * unknown

    def at_pairs(self, rating: Tensor) -> Ratings:
        if self.times is None:
            raise InputError("this factorization does not say when its ratings are; give it the `times` of its pairs")
        return replace(super().at_pairs(rating), time=self.times)

    def reduced(self) -> Factorization:
        """Three users on two days, the others on one; items in two periods."""
        model = super().reduced()
        assert isinstance(model, Timed) and model.pairs is not None
        user, item = model.pairs
        times = DAY * torch.where(user < 3, 30 * (item % 2), 7)
        zero = torch.zeros(len(user), dtype=torch.float64)
        return dated(replace(model, times=times), Ratings(user, item, zero, 6, 4, time=times))

    def to(self, device: torch.device | str) -> Factorization:
        kept = {name: getattr(self, name) for name in ("calendar", "times")}
        moved: dict[str, Any] = {name: None if x is None else x.to(device) for name, x in kept.items()}
        return replace(super().to(device), **moved)

    def facts(self, data: Ratings) -> dict[str, Any]:
        found = super().facts(data)
        return found | {"model": found["model"] | {"calendar": self.of_time.calendar.fingerprint}}

    def check_data(self, data: Ratings) -> None:
        super().check_data(data)
        if len(data) and any(place is None or place.missing for place in self.of_time.calendar.places(data)):
            raise InputError("this model's days and periods are of other ratings: `crosscheck.fitted(model, ratings)` "
                             "takes them from those that it is to be trained on, which must have times")


@dataclass(frozen=True, eq=False)
class TimedFeatured(Timed, Featured):
    """Effects of time, and features of users and items."""


def dated(model: Timed, ratings: Ratings) -> Timed:
    """The model with the days and periods of these training ratings."""
    return replace(model, calendar=Calendar.of(ratings))


def fitted(model: Factorization, ratings: Ratings) -> Factorization:
    """The model as the training ratings make it: their units, the features of their pairs, their days and periods."""
    model = fitted_untimed(model, ratings)
    return dated(model, ratings) if isinstance(model, Timed) else model


def named(name: str, num_users: int, num_items: int, rank: int, **more: Any) -> Factorization:
    """As `models.features.named`, with `time` among the rungs."""
    rungs = name.split("+")
    if "time" not in rungs:
        return named_untimed(name, num_users, num_items, rank, **more)
    if "noise" not in rungs:
        raise InputError(f"--model {name}: the effects of time are in units of the noise that is learned; add noise, "
                         f"or ordinal")
    like = named_untimed("+".join(rung for rung in rungs if rung != "time"), num_users, num_items, rank, **more)
    kind = TimedFeatured if isinstance(like, Featured) else Timed
    return kind(**{f.name: getattr(like, f.name) for f in fields(like)})
