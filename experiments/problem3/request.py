"""What Problem 3 is asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from checks import planted
from errors import InputError
from experiments.ratings import request
from experiments.ratings.request import METHODS, divisible
from inference.job import Plan
from inference.method import Family
from runs import options
from runs.options import Fit
from runs.request import option, parse_ranks

KERNELS = ("row_gibbs", "kernel_row_gibbs_pyro")  # the same sweep by hand and inside Pyro
LADDER_KERNEL = "ladder_gibbs"  # where more is learned
POINT = "maximum_likelihood"
COMPARED = "coordinate_ascent,guide_mean_field_pyro"
RANKS = "1,2,3,5,10"


@dataclass(frozen=True, kw_only=True)
class Request(request.Request):
    """Which ratings, under which model, by which samplers, for how long."""

    problem: ClassVar[str] = "3"
    reads: ClassVar[tuple[str, ...]] = (*request.Request.reads, "user_features", "item_features")
    kernel: tuple[str, ...] = option((), "a sampler by name or from a file; repeatable (default: "
                                     f"{', '.join(KERNELS)})", metavar="NAME|FILE.py[:OPTION=VALUE,...]", group=METHODS)
    model: str = option("plain", "plain, or what is learned besides U and V: noise, hierarchical (priors of the rows), "
                        "biases, features (with hierarchical: who rated what), noise-per-user (with noise), "
                        "time (with noise or ordinal; days and periods of a column of times), ordinal "
                        "(ratings as ordered levels, without noise), or several joined by + (default plain; "
                        f"others are sampled by {LADDER_KERNEL})", metavar="NAME", group=METHODS)
    user_features: Path | None = option(None, "with --model ...+features: what else is known of the users, a table "
                                        "with a column of their ids (CSV, TSV, |, Parquet); numbers are standardised, "
                                        "words one-hot", metavar="FILE", group=METHODS)
    item_features: Path | None = option(None, "the same of the items", metavar="FILE", group=METHODS)
    no_implicit: bool = option(False, "with these files: without who rated what", group=METHODS)
    use_times: bool = option(False, "with --model ...+time: predict the test ratings at their own times, which who "
                             "forecasts may not know (default: at any of those of their users and items)",
                             group=METHODS)
    rank: int = option(2, "number of factors (default 2)", metavar="K", group=METHODS)
    ranks: str = option(RANKS, f"then the first kernel and {POINT} at each of these ranks, on all of the training set "
                        f"and on a tenth (default {RANKS}; all of the assignment's: 1-10; none: leave it out)",
                        metavar="A-B|A,B,...", group=METHODS)
    compare: str = option(COMPARED, "other methods whose predictions are compared with the first kernel's (default "
                          f"{COMPARED})", metavar="NAME,...|none", group=METHODS)
    sweeps: int = option(100, "of every chain, burn-in included (default 100)", group=METHODS)
    burn_in: int | None = option(None, "sweeps whose draws do not count in the end (default a fifth)", group=METHODS)
    thin: int = option(1, "keep one draw in so many for the diagnostics (default 1: all)", group=METHODS)
    chains: int = option(2, "at --rank (default 2); the ladder of ranks has one", group=METHODS)
    samples: int = option(100, "draws from q for the NLL of methods that are not chains", group=METHODS)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sweeps < 1:
            raise InputError(f"--sweeps must be at least 1, not {self.sweeps}")
        if self.no_implicit and self.rungs_have_features and not (self.user_features or self.item_features):
            raise InputError("--no-implicit leaves no features: give --user-features or --item-features")
        if not 0 <= self.plan_burn_in < self.sweeps:
            raise InputError(f"--burn-in must lie between 0 and the sweeps, {self.sweeps}, not {self.plan_burn_in}: "
                             f"some sweeps must be left to keep")

    @property
    def plan_burn_in(self) -> int:
        return self.sweeps // 5 if self.burn_in is None else self.burn_in

    @property
    def rungs_have_features(self) -> bool:
        return "features" in self.model.split("+")

    @property
    def of_time(self) -> bool:
        return "time" in self.model.split("+")

    @property
    def of_levels(self) -> bool:
        return "ordinal" in self.model.split("+")

    @property
    def plan(self) -> Plan:
        """Of the chains at --rank."""
        return Plan(self.sweeps, self.chains, self.plan_burn_in, self.thin, seed=self.seed)

    @property
    def ranked(self) -> tuple[int, ...]:
        return parse_ranks("none" if self.bare or self.of_levels else self.ranks)

    @property
    def about(self) -> str:
        return "ordinal" if self.of_levels else self.kind if self.model == "plain" else "ladder"

    @property
    def kernels(self) -> tuple[str, ...]:
        """Their names, as asked for or by default."""
        return self.kernel or (divisible(KERNELS) if self.model == "plain" else (LADDER_KERNEL,))

    @property
    def compared(self) -> tuple[str, ...]:
        """The methods that are not chains."""
        if self.compare == "none" or self.bare or self.model != "plain":
            return ()
        named = tuple(self.compare.split(","))
        return divisible(named) if self.compare == COMPARED else named

    def idle(self) -> dict[str, str]:
        found = super().idle()
        if self.bare and self.ranks != "none":
            found["ranks"] = "--bare leaves out further ranks"
        if self.of_levels:
            found["clip"] = "what --model ordinal predicts never leaves the scale"
            if self.ranks != "none":
                found["ranks"] = (f"{POINT} is beside the ranks, and its NLL is of densities, that of --model ordinal "
                                  f"of probabilities")
        if self.compare != "none" and not self.compared:
            found["compare"] = "--bare leaves out comparisons" if self.bare else "only the plain model is compared"
        if "noise" in self.model.split("+"):
            found["noise_variance"] = "the model learns its noise"
        if "hierarchical" in self.model.split("+"):
            found["prior_variance"] = "the model learns its priors"
        elif "noise" in self.model.split("+"):
            found["prior_variance"] = ("where the noise is learned the ratings are brought to mean 0 and variance 1 "
                                       "first, and the prior variance of 5 is in those units")
        if not self.rungs_have_features:
            found |= dict.fromkeys(("user_features", "item_features", "no_implicit"), "only a model with features, as "
                                   "in --model noise+hierarchical+biases+features, has a use for it")
        if not self.of_time:
            found["use_times"] = "only a model with time, as in --model noise+biases+time, has a use for it"
        if not self.compared:
            found["samples"] = "only chains run, and every sweep is a draw"
        return found

    def chosen(self) -> list[Fit]:
        """The kernels asked for, or the default ones; then what is compared with them."""
        kernels = [options.parse(self.kind, planted.resolved(spec)) for spec in self.kernels]
        for kernel in kernels:
            if kernel.method.family is not Family.MCMC:
                raise InputError(f"--kernel {kernel.name} is not a sampler (its family is {kernel.method.family}): "
                                 f"name one under --compare, or run Problem 2")
        fits = kernels + [options.parse(self.kind, name) for name in self.compared]
        return options.given(options.distinct(fits), options.taken(fits, self.set, "--set "))
