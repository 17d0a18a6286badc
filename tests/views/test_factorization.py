"""What the figures of Problem 2 show of results made by hand: curves, ends, intervals, spreads."""

import numpy as np
import pytest

from tests.support.results import made
from views import factorization

NORMAL_90 = 1.6448536269514722  # 90% of N(0, 1) lies within


def xy(line):
    return line.get_xdata().tolist(), line.get_ydata().tolist()


def test_learning_is_by_epochs_and_by_the_clock(drawn, tmp_path):
    """The ELBO of 100 ratings, and the test NLL; epochs of 2, 3 and 5 seconds end after 2, 5 and 10."""
    result = made("elbo_by_hand", trace={"elbo": [[-300.0, -200.0, -150.0]], "test_nll": [[1.9, 1.5, 1.4]]},
                  seconds=[[2.0, 3.0, 5.0]])
    factorization.learning(tmp_path, [result], 100)
    elbo, nll = [-3.0, -2.0, -1.5], [1.9, 1.5, 1.4]
    assert [xy(axis.get_lines()[0]) for axis in drawn[0].axes] == [
        ([1, 2, 3], elbo), ([2.0, 5.0, 10.0], elbo), ([1, 2, 3], nll), ([2.0, 5.0, 10.0], nll)]
    assert drawn[0].axes[1].get_shared_x_axes().joined(drawn[0].axes[1], drawn[0].axes[3])
    assert drawn[0].axes[3].get_xlabel() == "seconds of fitting"


def test_the_references_printout_is_drawn_beside(drawn, tmp_path):
    result = made("svi", trace={"elbo": [[-300.0]], "test_nll": [[1.9]]})
    factorization.learning(tmp_path, [result], 100, {"elbo": [-1.5, -1.4], "test_nll": [1.3, 1.2]})
    assert [xy(drawn[0].axes[k].get_lines()[1]) for k in (0, 2)] == [([1, 2], [-1.5, -1.4]), ([1, 2], [1.3, 1.2])]


def test_by_rank_shows_the_ends_and_the_ways(drawn, tmp_path):
    """The ELBO over 100 ratings, which rises, and the scores, which fall."""
    results = {K: made("coordinate_ascent", trace={"elbo": [[-300.0, -100.0 * K]], "test_nll": [[2.0, 1.0 + K]],
                                                   "train_nll": [[2.0, 0.5 + K]]}) for K in (2, 1)}
    factorization.by_rank(tmp_path, results, 100)
    ends, elbo, test, train, bound = drawn[0].axes
    assert {line.get_label(): xy(line) for line in (*ends.get_lines(), *bound.get_lines())} == {
        "ELBO per rating (right)": ([1, 2], [-1.0, -2.0]), "test NLL": ([1, 2], [2.0, 3.0]),
        "train NLL": ([1, 2], [1.5, 2.5])}
    assert [axis.get_title() for axis in (elbo, test, train)] == [
        "ELBO per rating, on the way", "test NLL, on the way", "train NLL, on the way"]
    assert [{line.get_label(): xy(line)[1] for line in axis.get_lines()} for axis in (elbo, test, train)] == [
        {"K = 1": [-3.0, -1.0], "K = 2": [-3.0, -2.0]}, {"K = 1": [2.0, 2.0], "K = 2": [2.0, 3.0]},
        {"K = 1": [2.0, 1.5], "K = 2": [2.0, 2.5]}]


def test_predictions_have_their_intervals_in_the_order_of_the_means(drawn, tmp_path):
    """Spread 0.6 and noise 0.64 make an sd of 1; of ratings 0, 1.6 and 1.7 above their means one lies outside."""
    mean = np.array([3.0, 1.0, 2.0])
    result = made("svi", expected={"test_mean": mean, "test_spread": np.full(3, 0.6), "noise_variance": 0.64})
    observed = mean + np.array([0.0, 1.6, 1.7])
    factorization.predictions(tmp_path, observed, [result])
    axis, = drawn[0].axes
    assert [line.get_ydata().tolist() for line in axis.get_lines()] == [[1.0, 2.0, 3.0], [2.6, 3.7, 3.0]]
    band = axis.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((1.0 - NORMAL_90, 3.0 + NORMAL_90))
    assert axis.get_title() == "svi: 66.7% of 3 test ratings inside"


def test_spreads_are_medians_and_quarters_by_what_the_user_rated(drawn, tmp_path):
    """Users with 2 ratings have spreads 0, 0.1, .. 1, those with 90 half as much."""
    spread = np.linspace(0, 1, 11)
    result = made("svi", expected={"test_spread": np.concatenate([spread, spread / 2])})
    factorization.uncertainty(tmp_path, np.repeat([2, 90], 11), [result])
    axis, = drawn[0].axes
    x, y = xy(axis.get_lines()[0])
    assert x == pytest.approx([2.0, 90.0]) and y == pytest.approx([0.5, 0.25])
    band = axis.collections[0].get_paths()[0].vertices
    assert {tuple(np.round(v, 6)) for v in band} == {(2, 0.25), (2, 0.75), (90, 0.125), (90, 0.375)}


def test_gradients_are_boxes_by_parameter_and_estimator(drawn, tmp_path):
    """Rows without ratings, whose gradients do not scatter, are left out of the medians."""
    spreads = {"score_function": {"U_mean": np.array([0.0, 4.0, 6.0]), "V_mean": np.array([8.0])},
               "reparameterised": {"U_mean": np.array([1.0]), "V_mean": np.array([2.0])}}
    factorization.gradients(tmp_path, spreads)
    axis, = drawn[0].axes
    medians = {float(np.round(np.mean(x), 2)): y[0] for x, y in map(xy, axis.get_lines()) if len(set(y)) == 1
               and np.ptp(x) > 0.25}
    assert medians == {-0.17: 5.0, 0.17: 1.0, 0.83: 8.0, 1.17: 2.0}
    assert [label.get_text() for label in axis.get_xticklabels()] == ["U mean", "V mean"]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["score function", "reparameterised"]
