"""What the figures of Problem 1 show of results made by hand: pixels, points, lines and the words beside them."""

import numpy as np
import pytest

from tests.support.results import made
from views import grid, pictures

LABELS = np.array([[0, 1], [2, 2]])
MARGINALS = np.eye(3)[LABELS]


def test_labels_are_drawn_in_the_colours_of_the_legend(drawn, tmp_path):
    """One of four pixels is not the clean image's, and one of the observed has no label."""
    observed = MARGINALS.copy()
    observed[1, 1] = 0
    pictures.denoised(tmp_path, "small", observed, np.array([[0, 1], [2, 0]]), [made("loopy_bp", expected={
        "labels": 0.1 + 0.7 * MARGINALS})])
    seen, clean, found = (axis.images[0] for axis in drawn[0].axes)
    assert clean.get_array().tolist() == [[0, 1], [2, 0]]
    assert seen.get_array().tolist() == [[0, 1], [2, -1]] and found.get_array().tolist() == LABELS.tolist()
    assert [axis.get_title() for axis in drawn[0].axes] == ["observed\n25.00% wrong", "clean",
                                                               "loopy bp (hand)\n25.00% wrong"]
    legend = drawn[0].legends[0]
    words = [text.get_text() for text in legend.get_texts()]
    assert words == ["label 0", "label 1", "label 2", "no label, or several"]
    colours = [patch.get_facecolor() for patch in legend.get_patches()]
    assert colours == [found.cmap(found.norm(k)) for k in (0, 1, 2, -1)] and len(set(colours)) == 4


def test_the_map_of_entropy_is_each_pixels(drawn, tmp_path):
    p = np.array([[[0.5, 0.5], [0.9, 0.1]]])
    grid.entropy(tmp_path, "small", [made("gibbs", expected={"labels": p}), made("icm", "point", expected={
        "labels": p})])
    right = [np.log(2), -0.9 * np.log(0.9) - 0.1 * np.log(0.1)]
    assert drawn[0].axes[0].images[0].get_array().ravel().tolist() == pytest.approx(right)
    assert drawn[0].axes[0].get_title() == f"gibbs\nmean {np.mean(right):.2g} nats" and len(drawn[0].axes) == 2


def test_convergence_is_the_residual_by_sweep(drawn, tmp_path):
    grid.convergence(tmp_path, "small", [
        made("loopy_bp", trace={"residual": [[1.0, 0.5, 0.0], [3.0, 0.5, 0.0]]}, facts={"oscillating": True}),
        made("icm", "point", trace={"residual": [[9.0, 9.0]]})])
    line, = drawn[0].axes[0].get_lines()
    assert list(line.get_xdata()) == [1, 2, 3] and line.get_label() == "loopy bp (oscillates)"
    assert list(line.get_ydata())[:2] == [2.0, 0.5] and np.isnan(line.get_ydata()[2]), "0 has no place on a log scale"


def test_marginals_are_the_exact_ones_across_and_the_methods_up(drawn, tmp_path):
    exact, other = np.array([[[0.9, 0.1]]]), np.array([[[0.6, 0.4]]])
    judge = made("strip", "exact", expected={"labels": exact})
    grid.marginals(tmp_path, "small", judge, [judge, made("mean_field", expected={"labels": other})])
    axis, = drawn[0].axes
    points = axis.get_lines()[1]
    assert list(points.get_xdata()) == pytest.approx([0.9, 0.1]) and list(points.get_ydata()) == [0.6, 0.4]
    assert axis.get_title() == "mean field\nlargest error 3.0e-01" and axis.get_xlabel() == "strip (exact)"


def test_the_ladder_has_bounds_on_their_sides_of_zero(drawn, tmp_path):
    judge = made("strip", "exact", log_evidence=10.0, log_evidence_kind="exact")
    others = [made("mean_field", log_evidence=9.5, log_evidence_kind="lower bound"),
              made("tree_reweighted_bp", log_evidence=10.25, log_evidence_kind="upper bound")]
    grid.evidence_ladder(tmp_path, "small", judge, [judge, *others])
    axis, = drawn[0].axes
    assert [line.get_xdata()[0] for line in axis.get_lines()[1:]] == [0.0, -0.5, 0.25]
    assert [text.get_text() for text in axis.texts] == ["+0", "-0.5", "+0.25"]
    assert [label.get_text() for label in axis.get_yticklabels()] == [
        "strip (exact)", "mean field (lower bound)", "tree reweighted bp (upper bound)"]
