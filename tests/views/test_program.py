"""What the figures of a program show of draws made by hand: means, intervals, ranks, shares and clouds."""

import numpy as np
import pytest

from views import program
from views.figures import styles

EVEN = np.arange(101.0).reshape(1, 101, 1)  # its quantile q is 100 q


def segments(axis):
    """Ends (low, high) and height of every horizontal line, by width."""
    return {float(lines.get_linewidth()[0]): [tuple(ends.ravel()) for ends in lines.get_segments()]
            for lines in axis.collections}


def test_the_forest_shows_the_mean_and_the_intervals_that_it_names(drawn, tmp_path):
    """Of 0, 1, .. 100 the mean is 50, half lie in 25..75 and 90% in 5..95."""
    program.forest(tmp_path, {"nuts_pyro": EVEN}, ["x"], [0], None)
    axis, = drawn[0].axes
    assert segments(axis) == {1.0: [(5.0, 0.0, 95.0, 0.0)], 3.0: [(25.0, 0.0, 75.0, 0.0)]}
    assert axis.get_lines()[0].get_xdata()[0] == 50.0 and axis.get_title() == "Means, with 50% and 90% intervals"
    assert [label.get_text() for label in axis.get_yticklabels()] == ["x"]


def test_the_forest_is_in_sds_from_the_references_mean(drawn, tmp_path):
    program.forest(tmp_path, {"judge": EVEN, "other": EVEN + EVEN.std()}, ["x"], [0], "judge")
    axis, = drawn[0].axes
    assert [line.get_xdata()[0] for line in axis.get_lines()] == pytest.approx([0.0, 1.0])
    assert axis.get_xlabel() == "posterior sds from the mean of judge"


@pytest.mark.parametrize(("upper", "heights"), [(100.5, ([4] * 10 + [0] * 10, [0] * 10 + [4] * 10)),
                                                (0.5, ([2] * 20, [2] * 20))])
def test_ranks_of_chains_are_flat_where_they_sample_alike_only(drawn, tmp_path, upper, heights):
    """0, 1, .. 39, and the same moved up: by 100.5 they share no rank, by a half every other one is each chain's."""
    steps = np.arange(40.0)
    program.chains(tmp_path, {"gibbs": np.stack([steps, steps + upper])[..., None]}, ["x"], [0])
    left, right = drawn[0].axes
    assert [line.get_ydata().tolist() for line in left.get_lines()] == [steps.tolist(), (steps + upper).tolist()]
    assert tuple(patch.get_xy()[1:-1:2, 1].tolist() for patch in right.patches) == heights
    assert right.get_lines()[0].get_ydata()[0] == 2.0, "where 40 draws in 20 bars are flat"


def test_ranks_of_whole_numbers_favour_no_chain(drawn, tmp_path):
    """400 zeros in each of two chains: ties in their order would give one chain the lower half of the ranks. Of 400
    random ranks 0 to 400 are in it, 200 on average with an sd of 7: 6 sds are 2e-9."""
    program.chains(tmp_path, {"gibbs": np.zeros((2, 400, 1))}, ["z"], [0])
    _, right = drawn[0].axes
    for patch in right.patches:
        assert abs(patch.get_xy()[1:-1:2, 1][:10].sum() - 200) < 6 * 7.1


def test_marginals_of_whole_numbers_are_bars_of_their_shares(drawn, tmp_path):
    one, two = (np.array(x, dtype=float).reshape(1, -1, 1) for x in ([0, 0, 0, 1], [1, 1, 2, 2]))
    program.marginals(tmp_path, {"enumeration": one, "gibbs": two}, ["z"], [0], "enumeration", None)
    axis, = drawn[0].axes
    assert [bar.get_height() for bar in axis.patches] == [0.75, 0.25, 0.0, 0.0, 0.5, 0.5]
    assert axis.patches[0].get_x() < axis.patches[3].get_x() < axis.patches[1].get_x()
    assert [text.get_text() for text in drawn[0].legends[0].get_texts()] == ["enumeration", "gibbs"]


def test_many_whole_numbers_have_their_shares(drawn, tmp_path):
    """0, 1, .. 20, each once, and 20 three times more."""
    draws = np.append(np.arange(21.0), [20.0] * 3).reshape(1, -1, 1)
    program.marginals(tmp_path, {"gibbs": draws}, ["when"], [0], None, None)
    line, = drawn[0].axes[0].get_lines()
    assert list(line.get_ydata()[-2:]) == pytest.approx([1 / 24, 4 / 24])
    assert list(line.get_xdata()[-2:]) == [19.0, 20.0]


def test_densities_are_where_the_draws_are_and_a_point_is_a_line(drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(program, "PANELS", 1)
    rng = np.random.default_rng(0)
    draws = {"a": rng.normal(3.0, 1.0, (1, 4000, 2)), "point": np.full((1, 1, 2), 2.0)}
    program.marginals(tmp_path, draws, ["x", "y"], [1, 0], "a", rng.normal(0.0, 1.0, (2000, 2)) + np.array([0.0, 5.0]))
    axis = drawn[0].axes[0]
    density, point, prior = axis.get_lines()
    for line, centre in ((density, 3.0), (prior, 5.0)):
        x, y = line.get_data()
        assert (x * y).sum() / y.sum() == pytest.approx(centre, abs=0.2), line.get_label()
    assert [density.get_label(), prior.get_label(), prior.get_linestyle()] == ["a", "prior", "--"]
    assert list(point.get_xdata()) == [2.0, 2.0] and axis.get_xlabel() == "y"
    assert drawn[0]._suptitle.get_text() == "Marginal posteriors, where the methods differ most: 1 of 2"


def test_a_method_that_failed_stretches_no_axis(drawn, tmp_path):
    """Two agree and a third is 1,000 sds away: with and without a reference the axes are those of the two."""
    rng = np.random.default_rng(1)
    draws = {name: at + rng.normal(size=(1, 500, 2)) for name, at in (("a", 0.0), ("b", 0.5), ("failed", 1000.0))}
    for reference in ("a", None):
        program.marginals(tmp_path, draws, ["x", "y"], [0, 1], reference, None)
        program.forest(tmp_path, draws, ["x", "y"], [0, 1], reference)
        program.pairs(tmp_path, draws, ["x", "y"], [0, 1], reference)
    for figure in drawn:
        low, high = figure.axes[0].get_xlim()
        assert -9 < low < -1 and 1 < high < 9
    assert program.limits({"a": np.zeros(9), "wide": np.linspace(-1, 9, 99)}, "a", (0.0, 1.0)) == (0.0, 0.0)
    assert program.limits({"a": np.linspace(0, 1, 9), "b": np.linspace(-1, 2, 9)}, "a", (0.0, 1.0)) == (-1.0, 2.0)


def test_a_needle_flattens_no_panel(drawn, tmp_path):
    """Of sds 1, 1 and 1/1000: the last one's peak is a thousand times the others'."""
    wide = np.random.default_rng(0).normal(size=(1, 500, 1))
    draws = {"a": wide, "b": wide + 0.1, "needle": wide / 1000}
    for reference in ("a", None):
        program.marginals(tmp_path, draws, ["x"], [0], reference, None)
    for figure in drawn:
        axis = figure.axes[0]
        peak = max(line.get_ydata().max() for line in axis.get_lines() if line.get_label() == "a")
        assert peak < axis.get_ylim()[1] < 4 * peak


def test_pairs_are_the_two_numbers_over_the_references(drawn, tmp_path):
    judge, other = np.arange(12.0).reshape(1, 4, 3), 20 + np.arange(12.0).reshape(1, 4, 3)
    program.pairs(tmp_path, {"judge": judge, "other": other}, ["a", "b", "c"], [2, 0], "judge")
    axis, = drawn[0].axes
    grey, own = axis.get_lines()
    assert grey.get_xdata().tolist() == judge[0, :, 2].tolist() and grey.get_ydata().tolist() == judge[0, :, 0].tolist()
    assert own.get_xdata().tolist() == other[0, :, 2].tolist() and own.get_ydata().tolist() == other[0, :, 0].tolist()
    assert (axis.get_xlabel(), axis.get_ylabel(), own.get_color()) == ("c", "a", styles(["other"])["other"]["color"])


def test_the_predictive_check_counts_shares_of_the_data(drawn, tmp_path):
    program.predictive(tmp_path, np.array([3.5, 1.0]), np.array([[5.0, 4.0]]), "judge")
    anew, observed = drawn[0].axes[0].get_lines()
    assert observed.get_xdata().tolist() == [1.0, 3.5] and observed.get_ydata().tolist() == [0.5, 1.0]
    assert anew.get_xdata().tolist() == [4.0, 5.0] and anew.get_label() == "drawn anew, by judge"


def test_the_predictive_check_counts_whole_values_in_bars(drawn, tmp_path):
    """Two of the data are 1 and one 3; of three sets drawn anew one, one and three are 1."""
    anew = np.array([[1.0, 2.0, 2.0], [1.0, 2.0, 3.0], [1.0, 1.0, 1.0]])
    program.predictive(tmp_path, np.array([1.0, 3.0, 1.0]), anew, "judge")
    axis = drawn[0].axes[0]
    assert {round(bar.get_x() + bar.get_width() / 2): bar.get_height() for bar in axis.patches} == {1: 2, 2: 0, 3: 1}
    middle = axis.get_lines()[0]
    assert middle.get_xdata().tolist() == [1, 2, 3] and middle.get_ydata().tolist() == [1, 1, 0]
