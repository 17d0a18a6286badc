"""What Problem 2 is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from checks import planted
from experiments.ratings import request
from experiments.ratings.request import METHODS, divisible
from inference.method import Family
from runs import options
from runs.options import Fit
from runs.request import option, parse_ranks

DEFAULT = ("coordinate_ascent", "coordinate_ascent:covariance=row", "guide_mean_field_pyro", "elbo_by_hand",
           "svi_auto_pyro:guide=AutoNormal",
           "maximum_likelihood:algorithm=als", "maximum_likelihood:algorithm=als,map=yes",
           "maximum_likelihood:algorithm=sgd")
WITHOUT_BIASES = ("coordinate_ascent:covariance=row", "maximum_likelihood:algorithm=sgd")  # no --biases for these
REAL = "coordinate_ascent"  # whose answer on real ratings is held against published ones
RANKED, RANKS = "coordinate_ascent", "1-10"  # what is run afterwards unless the arguments say otherwise
# The ladder of ranks is scored more cheaply, since scoring is most of its time: 1 in 10 of the training ratings, and
# a quarter of the samples, which raises an NLL by some 0.001 at every rank.
RANKED_SCORES, RANKED_SAMPLES = 10, 4


@dataclass(frozen=True, kw_only=True)
class Request(request.Request):
    """Which ratings, by which methods, at which ranks."""

    problem: ClassVar[str] = "2"
    method: tuple[str, ...] = option((), "a method by name or from a file, with options of its own (--list NAME shows "
                                     "them); repeatable", metavar="NAME|FILE.py[:OPTION=VALUE,...]", group=METHODS)
    guide: tuple[str, ...] = option((), "a guide by name (--list), or one of your own from a file, fitted by SVI; "
                                    "repeatable", metavar="NAME|FILE.py[:NAME]", group=METHODS)
    rank: int = option(2, "number of factors (default 2)", metavar="K", group=METHODS)
    ranks: str | None = option(None, f"then {RANKED}, or the first --method, at each of these ranks (default {RANKS}; "
                               "with --method none)", metavar="A-B|A,B,...|none", group=METHODS)
    epochs: int | None = option(None, "passes over the ratings, at most (default: what each method needs)",
                                group=METHODS)
    batch_size: int | None = option(None, "ratings in a minibatch, for the methods that have them", group=METHODS)
    lr: float | None = option(None, "learning rate, for the methods that have one", group=METHODS)
    recipe: str | None = option(None, "default, or reference: the assignment's settings, where a method has the choice",
                                group=METHODS)
    biases: bool = option(False, "the model with a bias for every user and item, r ~ N(u.v + b + c, 1), their priors "
                          "those of U and V", group=METHODS)
    samples: int = option(100, "draws from q for every NLL (default 100)", group=METHODS)

    @property
    def about(self) -> str:
        return "ladder" if self.biases else self.kind

    @property
    def model(self) -> str:
        """As `models.ladder.make` has it."""
        return "biases" if self.biases else "plain"

    @property
    def asked(self) -> bool:
        """Whether the user named the methods."""
        return bool(self.method or self.guide)

    @property
    def ranked(self) -> tuple[int, ...]:
        return parse_ranks(self.ranks or ("none" if self.asked or self.bare else RANKS))

    @property
    def ranked_samples(self) -> int:
        return -(-self.samples // RANKED_SAMPLES)

    @property
    def held_to(self) -> str | None:
        """The recipe whose checkpoints the run is held to; None where its settings are the user's own."""
        own = self.ratings != "jester-like" or self.subsample != 1 or any(
            (self.variances, self.biases, self.split, self.epochs, self.lr, self.batch_size, self.settings))
        return None if own else self.recipe or "default"

    def idle(self) -> dict[str, str]:
        found = super().idle()
        if self.outside and REAL not in {fit.name for fit in self.chosen()}:
            found["outside"] = f"its checkpoints are of {REAL}"
        if "samples" in self.given and all(fit.method.family is Family.POINT for fit in self.chosen()):
            found["samples"] = "a point has no draws"
        return found

    def chosen(self) -> list[Fit]:
        """The methods asked for, or the default ones, with the options that each of them takes."""
        fits = [options.parse(self.kind, planted.resolved(spec)) for spec in self.method]
        fits += [options.parse_guide(self.kind, spec) for spec in self.guide]
        if not self.asked:
            fits = [options.parse(self.kind, spec) for spec in divisible(DEFAULT)
                    if not self.biases or spec not in WITHOUT_BIASES]
        options.distinct(fits)
        # Of points a learning rate and a batch mean something else; theirs are given with --method name:lr=...
        takers = [fit for fit in fits if fit.method.family is Family.VARIATIONAL] or fits
        shared = {"lr": self.lr, "batch_size": self.batch_size, "recipe": self.recipe}
        return options.given(fits, options.taken(takers, shared), options.taken(fits, self.set, "--set "))
