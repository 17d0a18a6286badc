"""What the figures of a comparison, of a sweep and of a verdict show of numbers made by hand."""

import numpy as np
import pytest

from views import check, compare, curves
from views.figures import begin, styles


def test_the_best_is_on_top_with_two_standard_errors(drawn, tmp_path):
    """Two seeds of one method share a line; what has no value on a scale has no mark there."""
    begin(["gibbs", "svi"])
    panels = [compare.Panel("test NLL", [1.3, 1.4, 1.5], [0.05, None, None]),
              compare.Panel("log evidence minus exact", [None, -2.0, 3.0], [None] * 3, right=0.0),
              compare.Panel("nothing", [None] * 3, [None] * 3)]
    compare.overview(tmp_path, ["gibbs", "svi", "gibbs"], ["gibbs", "svi", "gibbs"], panels, "test_nll")
    nll, evidence = drawn[0].axes
    assert [label.get_text() for label in nll.get_yticklabels()] == ["gibbs", "svi"]
    assert list(nll.get_yticks()) == [1, 0]
    marks = [(float(bar[0].get_xdata()[0]), int(bar[0].get_ydata()[0])) for bar in nll.containers]
    assert marks == [(1.3, 1), (1.4, 0), (1.5, 1)]
    assert nll.containers[0][2][0].get_segments()[0][:, 0] == pytest.approx([1.2, 1.4])
    colours = [styles([name])[name]["color"] for name in ("gibbs", "svi", "gibbs")]
    assert [bar[0].get_color() for bar in nll.containers] == colours
    assert len(evidence.containers) == 2 and evidence.get_lines()[-1].get_xdata()[0] == 0.0
    assert drawn[0]._suptitle.get_text() == "3 results, ranked by test NLL, the best on top"


def test_the_way_to_a_quality_is_marked_where_it_is_reached(drawn, tmp_path):
    way = compare.Way("gibbs", "gibbs", np.array([1.0, 2.0, 4.0]), np.array([1.9, 1.5, 1.4]), 2.0)
    compare.quality(tmp_path, [way, compare.Way("svi", "svi", np.array([1.0, 3.0]), np.array([1.9, 1.8]), None)], 1.55)
    gibbs, mark, svi, target = drawn[0].axes[0].get_lines()
    assert gibbs.get_xdata().tolist() == [1, 2, 4] and gibbs.get_ydata().tolist() == [1.9, 1.5, 1.4]
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (2.0, 1.5) and mark.get_color() == gibbs.get_color()
    assert svi.get_ydata().tolist() == [1.9, 1.8] and target.get_ydata()[0] == 1.55
    assert target.get_label() == "quality: 1.5500"


def test_a_sweep_is_drawn_in_the_order_of_its_values_with_its_extremes(drawn, tmp_path):
    bands = {"gibbs": {"10": (1.5, 1.4, 1.8), "2": (1.2, 1.1, 1.25)}}
    curves.by_setting(tmp_path, "rank", {"10": 10.0, "2": 2.0}, [curves.Panel("test NLL", bands)], 3)
    axis, = drawn[0].axes
    line, = axis.get_lines()
    assert list(line.get_xdata()) == [2.0, 10.0] and line.get_ydata().tolist() == [1.2, 1.5]
    band = {tuple(v) for v in axis.collections[0].get_paths()[0].vertices.tolist()}
    assert band == {(2.0, 1.1), (2.0, 1.25), (10.0, 1.4), (10.0, 1.8)}
    assert (axis.get_xlabel(), axis.get_ylabel(), line.get_label()) == ("rank", "test NLL", "gibbs")
    assert [label.get_text() for label in axis.get_xticklabels()] == ["10", "2"] and list(axis.get_xticks()) == [10, 2]
    assert drawn[0]._suptitle.get_text() == "Against rank: means over 3 seeds, bands from the lowest to the highest"


def test_words_along_a_sweep_keep_their_order(drawn, tmp_path):
    bands = {"gibbs": {"b": (2.0, 2.0, 2.0), "a": (1.0, 1.0, 1.0)}}
    curves.by_setting(tmp_path, "model", {"b": None, "a": None}, [curves.Panel("", bands)], 1)
    axis, = drawn[0].axes
    assert axis.get_lines()[0].get_ydata().tolist() == [2.0, 1.0]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["b", "a"]
    assert drawn[0]._suptitle.get_text() == "Against model"


def test_scores_stand_beside_their_quantity_and_the_far_ones_are_named(drawn, tmp_path):
    rows = [{"quantity": "mean", "where": "pixel 1", "place": 1.0, "spread": -2.0},
            {"quantity": "mean", "where": "pixel 2", "place": -9.0, "spread": None},
            {"quantity": "edge", "where": "edge 1", "place": 2.0, "spread": 0.5}]
    check.scores(tmp_path / "x.png", "gibbs: wrong", {"3 x 3": rows})
    panel, = drawn[0].axes
    names = [label.get_text() for label in panel.get_yticklabels()]
    assert names == ["edge", "mean"], "the first on top"
    place, spread = panel.collections
    assert [(x, names[round(y)]) for x, y in place.get_offsets()] == [(1, "mean"), (-9, "mean"), (2, "edge")]
    assert [(x, names[round(y)]) for x, y in spread.get_offsets()] == [(-2, "mean"), (0.5, "edge")]
    assert [text.get_text() for text in panel.texts] == ["pixel 2"] and panel.texts[0].xy[0] == -9
    words = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert words == ["where it lies", "how spread out it is", "99% of a right method's"]
