"""What the figures of Problem 3 show of results made by hand: lines the right way up, of the right set and method."""

import numpy as np
import pytest

from tests.support.results import made
from views import sampling

NLL = {"train_nll": [[2.0, 1.5], [2.2, 1.7]], "train_nll_last": [[3.0, 2.5], [3.0, 2.5]],
       "test_nll": [[2.4, 1.9], [2.4, 1.9]], "test_nll_last": [[3.4, 2.9], [3.4, 2.9]]}


def lines(axis):
    return {line.get_label(): list(line.get_ydata()) for line in axis.get_lines()}


def test_sweeps_are_of_all_draws_so_far_and_of_the_last(drawn, tmp_path):
    """Means over two chains, the training ratings on the left."""
    sampling.sweeps(tmp_path, [made("row_gibbs", "mcmc", trace=NLL, facts={"warmup": 1})], 2)
    left, right = drawn[0].axes
    assert (left.get_title(), right.get_title()) == ("training ratings", "test ratings")
    assert lines(left)["row gibbs, all draws so far"] == pytest.approx([2.1, 1.6])
    assert lines(left)["the last draw alone"] == [3.0, 2.5]
    assert lines(right)["row gibbs, all draws so far"] == [2.4, 1.9]
    assert left.get_lines()[0].get_xdata().tolist() == [1, 2] and left.get_lines()[2].get_xdata()[0] == 1.5


def test_ranks_are_those_of_the_whole_training_set(drawn, tmp_path):
    by_rank = {(1.0, 3): made("g", "mcmc", trace={"test_nll": [[2.0, 1.0]]}),
               (1.0, 1): made("g", "mcmc", trace={"test_nll": [[3.0, 2.0]]}),
               (0.1, 1): made("g", "mcmc", trace={"test_nll": [[9.0, 9.0]]})}
    sampling.ranks(tmp_path, by_rank, "test")
    assert lines(drawn[0].axes[0]) == {"K = 1": [3.0, 2.0], "K = 3": [2.0, 1.0]}


def ends(test, train):
    return made("x", "mcmc", expected={"test_nll": test, "train_nll": train})


@pytest.mark.parametrize(("last", "says"), [(1.9, "Maximum likelihood overfits, Gibbs hardly does"),
                                            (1.51, "Gibbs and maximum likelihood, by number of factors")])
def test_overfitting_is_drawn_by_share_method_and_set(drawn, tmp_path, last, says):
    gibbs = {(share, K): ends(1.4 - 0.1 * share - 0.01 * K, 1.0) for share in (0.1, 1.0) for K in (1, 2)}
    point = {key: ends(1.5 if key[1] == 1 else last, 0.5) for key in gibbs}
    sampling.overfitting(tmp_path, gibbs, point)
    whole, part = drawn[0].axes
    assert (whole.get_title(), part.get_title()) == ("100% of the training set", "10% of the training set")
    assert lines(whole) == {
        "Gibbs, test": pytest.approx([1.29, 1.28]), "Gibbs, train": [1.0, 1.0],
        "maximum likelihood, test": [1.5, last], "maximum likelihood, train": [0.5, 0.5]}
    assert lines(part)["Gibbs, test"] == pytest.approx([1.38, 1.37])
    assert drawn[0]._suptitle.get_text() == says


def test_the_coverage_of_every_bin_has_its_place_and_its_error(drawn, tmp_path):
    """Users with 4 ratings and with 25: shares of 0.8 and 0.9 of 100 pairs each; two standard errors are 0.06."""
    count = np.repeat([4, 25], 100)
    result = made("row_gibbs", "mcmc", expected={"test_pit": np.tile((np.arange(100) + 0.5) / 100, 2)})
    sampling.calibration(tmp_path, result, count, np.array([0, 10, 10**6]), np.array([0.8, 0.9]), np.array([100, 100]),
                         0.9)
    left, right = drawn[0].axes
    points = right.containers[0][0]
    assert points.get_xdata().tolist() == pytest.approx([4.0, 25.0]) and points.get_ydata().tolist() == [0.8, 0.9]
    low, high = right.containers[0][2][0].get_segments()[0][:, 1]
    assert (high - low) / 2 == pytest.approx(0.06)
    words = [text.get_text() for text in left.get_legend().get_texts()]
    assert words == ["0 to 9 ratings (100 pairs)", "10 or more ratings (100 pairs)", "right"]
    assert [line.get_ydata()[0] for line in right.get_lines() if line.get_label() == "right"] == [0.9]


def test_without_enough_test_pairs_there_is_no_figure_of_calibration(drawn, tmp_path):
    few = made("row_gibbs", "mcmc", expected={"test_pit": np.full(19, 0.5)})
    edges, sizes = np.array([0, 10]), np.array([19])
    assert sampling.calibration(tmp_path, few, np.full(19, 4), edges, np.ones(1), sizes, 0.9) is None and not drawn


def test_other_methods_are_in_the_judges_posterior_sds(drawn, tmp_path):
    """All means 0.5 above the judge's, whose sds are 0.25: every difference is 2 sds."""
    mean = np.arange(10.0)
    judge = made("judge", "mcmc", expected={"test_mean": mean, "test_spread": np.full(10, 0.25)})
    other = made("other", expected={"test_mean": mean + 0.5, "test_spread": np.full(10, 9.0)})
    sampling.crosscheck(tmp_path, judge, [other])
    left, right = drawn[0].axes
    points = left.get_lines()[1]
    assert points.get_xdata().tolist() == mean.tolist() and points.get_ydata().tolist() == (mean + 0.5).tolist()
    edges = right.patches[0].get_xy()
    assert edges[edges[:, 1] > 0, 0].tolist() == pytest.approx([2.0, 2.1])


@pytest.mark.parametrize(("last", "says"), [(1.2, "predicts better than"), (0.9, "and the last draw alone")])
def test_a_title_claims_what_is_so(drawn, tmp_path, last, says):
    trace = {"test_nll": [[1.0]], "test_nll_last": [[last]], "train_nll": [[1.0]], "train_nll_last": [[1.0]]}
    sampling.sweeps(tmp_path, [made("row_gibbs", "mcmc", trace=trace, facts={"warmup": 0})], 2)
    assert says in drawn[0]._suptitle.get_text()
