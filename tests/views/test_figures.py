"""What the figures draw: the data of their lines, their ticks, their colours, and that nothing runs into the rest."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

from inference.result import Result
from tests.support.results import made
from views import compare, factorization, grid, pictures
from views.figures import PALETTE, Decimal, begin, plain_log, styles


def result(name: str, by: str = "hand", **expected) -> Result:
    return made(name, by=by, expected=expected)


def test_one_colour_a_method_whatever_a_figure_shows():
    begin(["loopy_bp", "gibbs", "mean_field"])
    whole = styles(["gibbs", "loopy_bp", "mean_field"])
    assert len({look["color"] for look in whole.values()}) == 3
    assert styles(["mean_field"])["mean_field"] == whole["mean_field"]
    assert styles(["new", "loopy_bp"])["loopy_bp"] == whole["loopy_bp"]
    begin(["mean_field", "gibbs", "loopy_bp"])  # a comparison, in order of rank
    assert styles(["loopy_bp"])["loopy_bp"] == whole["loopy_bp"]


@pytest.mark.parametrize(("low", "high"), [(0.61, 0.66), (2.5, 7.0), (0.9, 1.1), (0.05, 20), (1e-15, 1.0), (150, 190),
                                           (1.01, 9.9), (3e-4, 0.02)])
def test_a_log_axis_has_two_labels_at_least(low, high):
    ticks = Decimal().tick_values(low, high)
    assert 2 <= len(ticks) <= 12 and all(low <= x <= high for x in ticks) and ticks == sorted(set(ticks))
    figure, axis = plt.subplots()
    axis.plot([1, 2], [low, high])
    plain_log(axis, "y")
    axis.set_ylim(low, high)
    figure.canvas.draw()
    assert sum(bool(label.get_text()) for label in axis.get_yticklabels()) >= 2
    plt.close(figure)


def test_every_method_is_among_the_predictions_theirs_first(drawn, tmp_path):
    spread: dict[str, Any] = {"test_spread": np.full(9, 0.1), "noise_variance": 1.0}
    results = [result(n, by, test_mean=np.arange(9.0), **spread) for n, by in
               (("a", "hand"), ("b", "pyro"), ("mine", "user"), ("c", "hand"), ("d", "hand"))]
    factorization.predictions(tmp_path, np.arange(9.0), results)
    titles = [axis.get_title().partition(":")[0] for axis in drawn[0].axes]
    assert titles == ["mine", "a", "b", "c", "d"]


def test_how_sure_where_all_users_have_rated_as_much(drawn, tmp_path):
    spreads = np.linspace(0.1, 0.9, 41)
    factorization.uncertainty(tmp_path, np.full(41, 7), [result("a", test_spread=spreads)])
    assert "every user has 7 training ratings" in drawn[0].axes[0].get_title()
    medians = [line for line in drawn[0].axes[0].get_lines() if np.allclose(line.get_xdata(), 0.5)]
    assert medians, "the median of the spreads is not drawn"


def test_titles_of_pictures_stay_apart(drawn, tmp_path):
    square = result("mean_field", labels=np.full((64, 64, 2), 0.5))
    pictures.denoised(tmp_path, "spiral", np.ones((64, 64, 2)), np.zeros((64, 64), int), [square] * 3)
    drawn[0].canvas.draw()
    renderer = drawn[0].canvas.get_renderer()
    above = drawn[0]._suptitle.get_window_extent(renderer)
    assert all(axis.title.get_window_extent(renderer).y1 <= above.y0 for axis in drawn[0].axes)


def test_an_outlier_does_not_squeeze_the_others():
    figure, axis = plt.subplots()
    compare.without_outliers(axis, [1.50, 1.52, 1.55, 1.60, 14.9, None])
    low, high = axis.get_xlim()
    assert low < 1.50 and 1.60 < high < 3 and axis.texts[0].get_text() == "beyond: 14.9"
    compare.without_outliers(plt.subplots()[1], [1.0, 1.1, 1.2])
    plt.close("all")


def test_a_few_values_are_left_as_they_are():
    _, axis = plt.subplots()
    before = axis.get_xlim()
    compare.without_outliers(axis, [1.0, 50.0])
    compare.without_outliers(axis, [1.0, 1.1, 1.2, 1.3])
    assert axis.get_xlim() == before and not axis.texts and PALETTE[0].startswith("#")
    plt.close("all")


def test_a_map_of_what_is_sure_squeezes_no_other(drawn, tmp_path):
    """The scale begins at the least entropy that is one; and there is a scale where all are sure, or none is."""
    half = np.full((2, 2, 2), 0.5)
    sure, mixed = np.eye(2)[np.zeros((2, 2), int)], np.array([[[0.9, 0.1]] * 2] * 2)
    doubt = grid.pixel_entropy(mixed).min()
    for shown, least in (([sure, mixed], doubt), ([sure], grid.SURE), ([half], np.log(2) / 2)):
        grid.entropy(tmp_path, "a", [result(f"m{k}", labels=m) for k, m in enumerate(shown)])
        drawn[-1].canvas.draw()
        assert drawn[-1].axes[0].images[0].norm.vmin == pytest.approx(least)
