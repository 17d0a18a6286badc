"""What the comparison of Problem 2 says, in words with the numbers in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from experiments.ratings.entries import by_name
from inference.factorization.parts.natural import wanted
from inference.result import Result
from models.factorization import Factorization

WIDE = 0.99  # of the prior variance
CLEAR = 0.002  # of an NLL over some ten thousand test ratings; less is within its standard error


def comparison(results: Sequence[Result], num_ratings: int) -> list[str]:
    """Twins against each other, gradients against closed forms, and points against distributions."""
    said, named = [], by_name(results)
    bound = {n: e / num_ratings for n, r in named.items() if (e := r.final("elbo")) is not None}
    nll = {n: float(r.expected["test_nll"]) for n, r in named.items() if "test_nll" in r.expected}
    if {"guide_mean_field_pyro", "elbo_by_hand"} <= bound.keys():
        pyro, hand = bound["guide_mean_field_pyro"], bound["elbo_by_hand"]
        why = ("natural steps of the exact gradient, and Adam's on sampled ones" if natural(named) else
               "the same gradient, other random numbers")
        said.append(f"The Pyro guide and its derivation by hand end {100 * abs(pyro / hand - 1):.2g}% apart in ELBO "
                    f"({pyro:.4f} and {hand:.4f}): {why}.")
    if {"coordinate_ascent", "guide_mean_field_pyro"} <= bound.keys():
        best, ours = bound["coordinate_ascent"], bound["guide_mean_field_pyro"]
        fast, slow = (float(named[n].seconds.sum()) for n in ("coordinate_ascent", "guide_mean_field_pyro"))
        said.append(f"Closed-form updates reach {best:.4f} in {fast:.2g} s; {named['guide_mean_field_pyro'].steps} "
                    f"epochs of {'natural' if natural(named) else 'stochastic'} gradients come within "
                    f"{100 * (ours / best - 1):.2g}% of it in {slow:.3g} s.")
    if {"coordinate_ascent", "coordinate_ascent_row"} <= bound.keys():
        gain = bound["coordinate_ascent_row"] - bound["coordinate_ascent"]
        said.append(f"Letting the entries of a row depend on each other raises the bound by {gain:.2g} nats a rating.")
    if {"maximum_likelihood_als", "coordinate_ascent"} <= nll.keys():
        point, q = (named[n] for n in ("maximum_likelihood_als", "coordinate_ascent"))
        fitted = [float(r.expected["train_nll"]) for r in (point, q)]
        gap = nll[point.name] - nll[q.name]
        alike = " alike" * (abs(gap) <= CLEAR)
        said.append(f"Maximum likelihood fits the training set better than mean field ({fitted[0]:.4f} against "
                    f"{fitted[1]:.4f}) and predicts the test set {gap:.2g} nats a rating worse: a point does not know "
                    f"how unsure it is of a user with few ratings."
                    if gap > CLEAR and fitted[0] < fitted[1] else
                    f"Maximum likelihood and mean field predict the test set{alike} "
                    f"({nll[point.name]:.4f} and {nll[q.name]:.4f}).")
    return said


def natural(named: Mapping[str, Result]) -> bool:
    """Whether Pyro's mean field took natural steps: without any of Adam's options."""
    options = named["guide_mean_field_pyro"].options
    adams = {name: options.get(name) for name in ("lr", "batch_size")}
    return wanted(options.get("steps", "auto"), recipe={"reference": True}.get(options.get("recipe", "")), **adams)


def ranks(ranked: Mapping[int, Result], num_ratings: int, variances: Mapping[str, float] = {}) -> list[str]:
    """What each further factor is worth (2.6), and where the bound and the NLL part ways."""
    bound = {K: e / num_ratings for K, r in ranked.items() if (e := r.final("elbo")) is not None}
    nll = {K: float(r.expected["test_nll"]) for K, r in ranked.items() if "test_nll" in r.expected}
    if len(nll) < 3 or bound.keys() != nll.keys():
        return []
    low, high = min(nll), max(nll)
    said = [f"From K = {low} to {high} the test NLL goes from {nll[low]:.4f} to {nll[high]:.4f}, "
            f"the lowest is {min(nll.values()):.4f} at K = {min(nll, key=lambda K: nll[K])}."]
    middle = max((K for K in nll if K <= 3), default=low)
    if low < middle < high:
        said.append(f"K = {low} to {middle} brings {nll[low] - nll[middle]:.4f} nats a rating, "
                    f"K = {middle} to {high} brings {nll[middle] - nll[high]:.4f}.")
    best = max(bound, key=lambda K: bound[K])
    gap = {K: -bound[K] - nll[K] for K in nll}
    said.append(f"The ELBO is highest at K = {best} ({bound[best]:.4f}). It stands {gap[low]:.3f} below minus the "
                f"test NLL at K = {low} and {gap[high]:.3f} at K = {high}: it also pays, in KL, for what is learned "
                f"about U and V, and the NLL of new ratings does not see that bill.")
    if off := switched_off(ranked[high], variances.get("prior_variance", Factorization.prior_variance)):
        price = f", {bound[high - 1] - bound[high]:.4f} nats a rating" if off > 1 and high - 1 in bound else ""
        said.append(f"At K = {high}, {off} of the factors are switched off: their users are left at the prior and "
                    f"their items at 0. They change no prediction, so the NLL stands still; the bound pays for each of "
                    f"them that its items are known to be 0{price}.")
    return said


def switched_off(result: Result, prior_variance: float = Factorization.prior_variance) -> int:
    """Factors whose users have learned nothing: q(u_ik) is as wide as the prior."""
    if "U_var" not in result.expected:
        return 0
    return int((result.expected["U_var"].mean(0) > WIDE * prior_variance).sum())
