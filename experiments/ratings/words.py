"""What a person should doubt of a fit's predictions, in words with the numbers in them."""

from __future__ import annotations

import math

import numpy as np

from inference.result import Result
from models.factorization import Factorization
from models.ratings import Ratings
from models.rungs.time import PERIOD
from models.timed import Timed

LEVEL = 0.9  # of the intervals
FAR = 0.05  # from it, and more than four standard errors, is worth a sentence
FITS = (0.5, 2.0)  # squared error over what the model expects
FEW = 100  # test ratings


def doubts(result: Result, test: np.ndarray) -> list[str]:
    """Few test ratings, intervals that hold too much or too little, a noise variance that does not fit."""
    n, pit = len(test), result.expected.get("test_pit")
    if n == 0 or pit is None:
        return []
    said = [few(n)] if n < FEW else []
    inside = float((np.abs(pit - 0.5) <= LEVEL / 2).mean())
    if abs(inside - LEVEL) > max(FAR, 4 * (LEVEL * (1 - LEVEL) / n) ** 0.5):
        said.append(f"{result.name}'s {LEVEL:.0%} intervals hold {inside:.0%} of the test ratings: it is too "
                    f"{'sure' if inside < LEVEL else 'unsure'} of them.")
    noise = float(np.mean(result.expected.get("test_noise", result.expected["noise_variance"])))
    error = float(((test - result.expected["test_mean"]) ** 2).mean())
    expected = noise + float((result.expected["test_spread"] ** 2).mean())
    if n >= FEW and not FITS[0] <= error / expected <= FITS[1]:
        said.append(f"The noise variance, {noise:.3g} in squared rating units, does not fit: the mean squared error of "
                    f"the test ratings is {error:.3g}, where {result.name} expects {expected:.3g}; {_advice(result)}.")
    return said


def _advice(result: Result) -> str:
    """What to do about a noise variance that does not fit."""
    if "sigma2" in result.draws:
        return ("it is learned from the training ratings: give more --sweeps, or look whether the test ratings are "
                "like them")
    return "learn it with Problem 3's --model noise, or give --noise-variance"


def scales(model: Factorization, train: Ratings) -> list[str]:
    """How variances that are given, in squared rating units, fit the ratings; nothing for stars from 1 to 5, on which
    the reference's are meant, nor where the noise is learned."""
    if {"sigma2", "cutpoints"} & model.sites.keys() or not train.total:
        return []
    low, high = train.range
    default = (model.noise_variance, model.prior_variance) == (Factorization.noise_variance,
                                                               Factorization.prior_variance)
    if default and low >= 1 and high <= 5:
        return []
    said = f"The noise variance {model.noise_variance:g} is in squared rating units: the training ratings vary by " \
           f"{train.variance:.3g} about their mean, {train.mean:.4g}"
    if "precision_U" in model.sites:
        return [said + ". --model noise learns it, in any units."]
    sd = math.hypot(model.rank**0.5 * model.prior_variance, model.noise_variance**0.5)
    return [f"{said}; with the prior variance {model.prior_variance:g} a rating is 0 +- {sd:.3g} before any is seen. "
            f"--noise-variance and --prior-variance set them; Problem 3's --model noise+hierarchical learns both, in "
            f"any units."]


def times(model: Factorization, test: Ratings, use: bool) -> list[str]:
    """Which days and periods a model with time knows, and whether test ratings are predicted at their own times."""
    if not isinstance(model, Timed):
        return []
    calendar = model.of_time.calendar
    said = (f"There are training ratings on {len(calendar.user):,} days of users and in {len(calendar.item):,} periods "
            f"of items, of {PERIOD} days")
    if not (use and len(test)):
        return [f"{said}. Test ratings are predicted without their times, at any of those of their user and item; "
                f"--use-times uses them."]
    days, periods = (1 - place.missing / len(test) for place in calendar.places(test) if place)
    return [f"{said}. Test ratings are predicted at their own times (--use-times): {days:.0%} of them on such a day of "
            f"their user, {periods:.0%} in such a period of their item."]


def few(n: int) -> str:
    return (f"The test set has {n} rating{'s' * (n > 1)}: whatever is scored on it is known no better than its "
            f"standard error says; give --split a larger share for it.")
