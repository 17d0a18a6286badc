"""A fit of the factorization as a task: on which ratings, for how long, scored on which sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

from torch import Tensor

from data.ratings import Split
from errors import InputError
from inference.diagnostics import KEPT
from inference.factorization.fitted.groups import Holding
from inference.factorization.scoring import scorer
from inference.job import Plan
from inference.latents import FEW
from inference.method import Family, Latents, Method
from models.factorization import Factorization
from models.ordinal import fitted
from models.ratings import Pairs
from ranks.part import Part
from runs.options import Fit
from runs.task import Task

TOLERANCE = 1e-5  # of the residual: nats per rating that a sweep gains, or rating units that a point moves
EPOCHS = {Family.MCMC: 100, Family.VARIATIONAL: 50, Family.POINT: 50}  # at most; less where TOLERANCE is reached
OF_ROWS = ("U", "V", "user_bias", "item_bias", "user_day", "item_period")
DRAWS = 100  # of q that a result holds
EPOCHS_OF_SVI = 10  # as in the reference


def task(fit: Fit, model: Factorization, parts: Split, plan: Plan, *, place: Path = Path(), label: str = "",
         samples: int = 100, ask: Pairs | None = None, train_every: int | None = 1, joint: bool = False,
         clip: bool = False, predicts: bool = False, times: bool = False) -> Task:
    """The fit on `parts.train`, scored after every step on all three sets.

    train_every    one in so many of the training ratings is scored; None for none of them
    joint          keep the log prior of every draw too, so that the chains of the log joint can be diagnosed
    clip           predictive means end at the ends of the ratings' scale, which must be known
    predicts       keep all latents too, thinned, so that `run.py predict` can use the saved fit
    times          validation and test set are predicted at their own times, and not at any
    """
    if clip and parts.train.scale is None:
        raise InputError("--clip needs the ends of the scale, and these ratings do not say them: give --scale LOW,HIGH")
    kept = parts.test if len(parts.test) else parts.train.gathered()
    model = replace(fitted(model, parts.train), pairs=kept.pairs)
    record = Recorded(model, (kept.user[:KEPT], kept.item[:KEPT]), shared(model), joint)
    sets = {"validation": parts.validation, "test": parts.test}
    if train_every is not None:
        sets = {"train": parts.train.every(train_every)} | sets
    observer = scorer(model, sets, fit.method.family, samples=samples, ask=ask,
                      clip=parts.train.scale if clip else None, times=times)
    keeper = Holding(model, parts.train, parts.test) if predicts else None
    if keeper and parts.train.scattered:
        keeper.settle()
    return Task(fit.method, model, parts.train, plan, fit.options, place, label, observer, record, keeper)


@dataclass(frozen=True)
class Recorded:
    """What is kept of a draw: the predictions at some pairs, what all rows share, and with `joint` the log prior.

    of a part of the users `places` says where its pairs are among `count`
    """

    model: Factorization
    pairs: Pairs
    sites: Sequence[str]
    joint: bool
    places: Tensor | None = None
    count: int = 0

    def __call__(self, latents: Latents) -> Latents:
        found = {name: self._whole(x) for name, x in self.model.quantities(latents, self.pairs).items()}
        found |= {site: self.model.part_of(site).all(latents[site]) for site in self.sites}
        return found | {"log_prior": self.model.log_joint(latents, self.model.blank())} if self.joint else found

    def _whole(self, x: Tensor) -> Tensor:
        """The predictions at all pairs: a sum in which every other rank has zeros."""
        if self.places is None:
            return x
        return self.model.part.sum(x.new_zeros(self.count).index_copy_(0, self.places, x))

    def of(self, part: Part) -> Recorded:
        user, item = self.pairs
        places = ((user >= part.users.start) & (user < part.users.stop)).nonzero()[:, 0]
        return Recorded(self.model.of(part), (user[places] - part.users.start, item[places]), self.sites,
                        self.joint, places, len(user))


def shared(model: Factorization) -> list[str]:
    """The sites that all rows share: noise, and the priors of the rows."""
    return [site for site, shape in model.sites.items()
            if site not in OF_ROWS and prod(shape) <= max(FEW, model.width**2)]


def plan(method: Method, epochs: int | None, seed: int) -> Plan:
    """As many passes over the ratings as are asked for, at most, or as the method needs."""
    if epochs is not None and epochs < 1:
        raise InputError(f"--epochs must be at least 1, not {epochs}")
    steps = default_epochs(method) if epochs is None else epochs
    warmup = steps // 5 if method.family is Family.MCMC else 0
    return Plan(steps, warmup=warmup, draws=DRAWS, tolerance=TOLERANCE, seed=seed)


def default_epochs(method: Method) -> int:
    """Stochastic gradients (methods with a learning rate or a recipe) stop by the clock, the others when settled."""
    if method.family is Family.VARIATIONAL and {"lr", "recipe"} & method.options.keys():
        return EPOCHS_OF_SVI
    return EPOCHS.get(method.family, 1)
