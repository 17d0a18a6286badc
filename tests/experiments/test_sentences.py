"""What Problems 2 and 3 and a program's run say in words, of results made by hand: the numbers, and which is which."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from experiments.problem2 import gradients
from experiments.problem2 import words as words2
from experiments.problem3 import words as words3
from experiments.problem3.request import Request
from experiments.program import words
from experiments.program.measures import Errors, Numbers, Whole
from inference.result import Result
from models.ratings import Ratings
from tests.support.results import made
from views.report.about import ABOUT


def fit(name, loss=None, test=None, train=None, seconds=1.0, steps=1, **expected) -> Result:
    """A fit of 100 ratings: `loss` is minus the ELBO of one."""
    scores = {"test_nll": test, "train_nll": train}
    trace = {"elbo": [[-100 * loss] * steps]} if loss else None
    return made(name, expected={k: v for k, v in scores.items() if v is not None} | expected, trace=trace,
                seconds=np.full((1, steps), seconds / steps))


def test_twins_closed_forms_and_points_are_held_against_each_other():
    said = words2.comparison([
        fit("guide_mean_field_pyro", 1.53, seconds=40.0, steps=10), fit("elbo_by_hand", 1.5),
        fit("coordinate_ascent", 1.5, test=1.3, train=1.2, seconds=2.0), fit("coordinate_ascent_row", 1.45),
        fit("maximum_likelihood_als", test=1.9, train=1.1)], 100)
    assert said == [
        "The Pyro guide and its derivation by hand end 2% apart in ELBO (-1.5300 and -1.5000): natural steps of the "
        "exact gradient, and Adam's on sampled ones.",
        "Closed-form updates reach -1.5000 in 2 s; 10 epochs of natural gradients come within 2% of it in 40 s.",
        "Letting the entries of a row depend on each other raises the bound by 0.05 nats a rating.",
        "Maximum likelihood fits the training set better than mean field (1.1000 against 1.2000) and predicts the test "
        "set 0.6 nats a rating worse: a point does not know how unsure it is of a user with few ratings."]
    for options in ({"steps": "adam"}, {"lr": 0.05}, {"recipe": "reference"}):
        by_adam = replace(fit("guide_mean_field_pyro", 1.53), options=options)
        assert "the same gradient, other random" in words2.comparison([by_adam, fit("elbo_by_hand", 1.5)], 100)[0]
    assert words2.comparison([fit("coordinate_ascent", 1.5, test=1.3, train=1.2),
                              fit("maximum_likelihood_als", test=1.301, train=1.1)], 100) == [
        "Maximum likelihood and mean field predict the test set alike (1.3010 and 1.3000)."]
    better, = words2.comparison([fit("coordinate_ascent", 1.5, test=1.9, train=1.2),
                                 fit("maximum_likelihood_als", test=1.3, train=1.1)], 100)
    assert better == "Maximum likelihood and mean field predict the test set (1.3000 and 1.9000)."


def test_what_each_further_factor_is_worth():
    """The bound is best at K = 2, the NLL at K = 5, where two of five factors are as wide as the prior, of variance
    5: each costs the bound 0.05."""
    wide = np.array([[5.0, 1.0, 4.96, 0.5, 2.0]])
    ranked = {1: fit("x", 1.6, 1.5), 2: fit("x", 1.45, 1.4), 3: fit("x", 1.46, 1.38), 4: fit("x", 1.47, 1.37),
              5: fit("x", 1.52, 1.36, U_var=wide)}
    assert words2.switched_off(ranked[5]) == 2 and words2.switched_off(ranked[1]) == 0
    assert words2.ranks(ranked, 100) == [
        "From K = 1 to 5 the test NLL goes from 1.5000 to 1.3600, the lowest is 1.3600 at K = 5.",
        "K = 1 to 3 brings 0.1200 nats a rating, K = 3 to 5 brings 0.0200.",
        "The ELBO is highest at K = 2 (-1.4500). It stands 0.100 below minus the test NLL at K = 1 and 0.160 at K = 5:"
        " it also pays, in KL, for what is learned about U and V, and the NLL of new ratings does not see that bill.",
        "At K = 5, 2 of the factors are switched off: their users are left at the prior and their items at 0. They "
        "change no prediction, so the NLL stands still; the bound pays for each of them that its items are known to be "
        "0, 0.0500 nats a rating."]


def test_the_noisier_estimator_needs_so_many_times_the_samples():
    """Standard deviations of 3 and 2 times the other's; rows that do not scatter do not count."""
    noisy = {"U_mean": np.array([3.0, 0.0, 6.0]), "V_mean": np.array([4.0])}
    quiet = {"U_mean": np.array([1.0, 0.0, 2.0]), "V_mean": np.array([2.0])}
    assert gradients.in_words({"score": noisy, "reparameterised": quiet}).startswith(
        "Without reparameterisation a gradient sample has 4 (V_mean) to 9 (U_mean) times the variance")


def test_where_maximum_likelihood_overfits():
    """Of users with 1, 2 and 5 ratings, and one with none, two of three can be met exactly by 2 factors."""
    user = torch.tensor([0, 1, 1, 2, 2, 2, 2, 2])
    small = Ratings(user, torch.arange(8), torch.ones(8).double(), 4, 8)
    study: Any = SimpleNamespace(
        small=small, gibbs={(1.0, 1): fit("g", test=1.4), (1.0, 2): fit("g", test=1.3)},
        point={(1.0, 1): fit("p", test=1.5, train=1.1), (1.0, 2): fit("p", test=1.9, train=0.5)})
    first, second = words3.overfitting(study)
    assert first == (
        "On 100% of the training set maximum likelihood's test NLL is lowest at K = 1 (1.500) and 1.900 at K = 2, while"
        " its training NLL goes from 1.100 to 0.500; Gibbs goes from 1.400 at K = 1 to 1.300 at K = 2.")
    assert "At K = 2 and 8 ratings that is 67% of the users who rated anything." in second
    study.point[1.0, 2] = fit("p", test=1.45, train=0.5)
    only, = words3.overfitting(study)  # nothing to explain
    assert "test NLL is lowest at K = 2 (1.450), the largest here, while" in only


NONE = Whole(None, None, None, None, None)


def program(results, wholes, reference=0, z=(), sds=(), ratio=(1.0, 1.0)) -> Any:
    """A study of two numbers, a and b, with these errors of the second result; a log ratio of sds is known to 0.02."""
    numbers = Numbers(["a", "b"], *(np.zeros(2) for _ in range(3)))
    errors = [None, Errors(np.array(z), np.array(sds), np.array(ratio), np.log(ratio) / 0.02)] if len(z) else (
        [None] * len(results))
    judge = None if reference is None else results[reference]
    return SimpleNamespace(results=results, wholes=wholes, numbers=[numbers] * len(results), errors=errors, judge=judge,
                           reference=reference, request=SimpleNamespace(file="mine.py"))


@pytest.mark.parametrize(("family", "whole", "says"), [
    ("exact", NONE, "The others are held against judge, which is exact."),
    ("mcmc", Whole(None, 1.0042, 432.4, None, None), "The others are held against judge, chains with R-hat 1.004 and "
     "at least 432 effective draws of every number."),
])
def test_what_the_others_are_held_against(family, whole, says):
    assert words.judged(program([made("judge", family), made("other")], [whole, NONE])) == says
    assert words.judged(program([made("judge", family)], [whole])).startswith("There is nothing to hold judge against")


def test_chains_that_converge_and_fits_that_can_be_trusted_are_not_spoken_of():
    results = [made("one", "mcmc"), made("met", "mcmc"), made("near"), made("far", log_evidence_kind="lower bound"),
               made("laplace", log_evidence_kind="estimate")]
    study = program(results, [NONE, Whole(None, 1.009, 9.0, None, None), Whole(0.7, None, None, None, None),
                              *[Whole(0.71, None, None, None, None)] * 2], None)
    assert words.said(study) == [
        "Nothing here can judge the others: no method is exact, and no chains have R-hat below 1.01; give more "
        "--sweeps.",
        "one has not been seen to converge (one chain says nothing of its R-hat, and should be below 1.01): give more "
        "--sweeps and --chains.",
        "far is far from the posterior (k-hat 0.71, above 0.7): its ELBO holds as a bound, but neither its spread nor "
        "weights from it are to be relied on.",
        "laplace is far from the posterior (k-hat 0.71, above 0.7): neither its spread nor weights from it are to be "
        "relied on."]


@pytest.mark.parametrize(("z", "sds", "says"), [
    ((1.0, -9.0), (0.05, -0.5), ["walk is off: its mean of b is 0.5 posterior sds from the reference's (9.0 Monte "
                                 "Carlo standard errors)."]),
    ((0.5, 3.9), (0.5, 0.2), []),  # chance explains it
    ((0.5, 9.0), (0.01, 0.09), []),  # nobody would see it
])
def test_off_is_what_chance_does_not_explain_and_what_matters(z, sds, says):
    study = program([made("judge", "exact"), made("walk", "mcmc", "user")], [NONE, NONE], 0, z, sds)
    assert words.off(study) == says
    strays = bool(max(map(abs, z)) >= 4)
    assert words.stray(study) == ["walk samples something else, or has not run long enough: `python run.py --check "
                                  "mine.py` says which."] * strays


@pytest.mark.parametrize(("family", "ratio", "says"), [
    ("variational", (1.0, 0.42), ["walk is too narrow: its sd of b is 0.42 times the reference's."]),
    ("mcmc", (1.3, 0.9), ["walk is too wide: its sd of a is 1.30 times the reference's."]),
    ("variational", (1.0, 0.85), []),  # nobody would see it
    ("point", (0.001, 0.001), []),  # it has none
])
def test_a_spread_that_is_off_is_said(family, ratio, says):
    study = program([made("judge", "exact"), made("walk", family)], [NONE, NONE], 0, (1.0, 0.0), (0.01, 0.0), ratio)
    assert words.off(study) == says


def test_the_nearest_is_so_in_means_and_in_spread():
    """A guide with the better means and 0.42 of the sds is farther than one with the right sds; a point is neither."""
    study = program([made("judge", "exact"), made("guide"), made("laplace"), made("delta", "point")], [NONE] * 4)
    study.errors = [None, *(Errors(np.array(z), np.array(sds), np.array(ratio), np.log(ratio)) for z, sds, ratio in (
        ((2.4, 0.1), (0.03, 0.0), (1.0, 0.42)), ((9.0, 1.0), (0.1, 0.01), (0.96, 1.0)),
        ((0.0, 0.0), (0.0, 0.0), (0.001, 0.001))))]
    assert words.take_away(study) == (
        "laplace is nearest to judge: its worst mean is 0.1 posterior sds away, its worst sd 0.96 times what it should "
        "be; its means differ by up to 9.0 Monte Carlo standard errors, more than chance explains. The farthest is "
        "guide: its worst mean is 0.03 posterior sds away, its worst sd 0.42 times what it should be.")


def test_the_guide_with_the_highest_bound_is_named_and_how_far_below_it_the_users_is():
    """Of three, the user's is spoken of; without one of the user's, the next."""
    bounds = [made(name, by=by, log_evidence=elbo, log_evidence_kind="lower bound")
              for name, by, elbo in (("low", "pyro", -14.0), ("mine", "user", -12.5), ("high", "pyro", -12.0))]
    others = [made("laplace", log_evidence=-1.0, log_evidence_kind="estimate")]
    assert words.guides(program([*bounds, *others], [NONE] * 4)) == (
        "Of the guides high has the highest ELBO (-12 nats); mine lies 0.5 below.")
    assert "low lies 2 below" in words.guides(program([bounds[0], bounds[2]], [NONE] * 2))
    assert words.guides(program([bounds[0], *others], [NONE] * 2)) == ""


@pytest.mark.parametrize(("model", "about"), [("plain", "factorization"), ("noise+biases", "ladder"),
                                              ("hierarchical+biases+ordinal", "ordinal")])
def test_a_report_has_the_equations_of_its_model(model, about):
    assert Request(model=model).about == about in ABOUT
