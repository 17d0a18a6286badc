"""One look: `COLOURS` decides who has which colour, and every figure obeys."""

import re
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.container import Container

from inference import known
from tests.support.results import made
from views import chains, compare, curves, factorization, grid, program, report, sampling
from views.figures import shades, title
from views.style import BLACK, COLOURS, FREE, OWN, PALETTE, begin, colour, colours, styles

STYLE = Path(report.__file__).parent / "templates" / "style.css"
LIGHT, DARK = re.findall(r"--paper: (#\w{6})", STYLE.read_text())[:2]


# What is left of linear red, green and blue where a cone is missing (Machado, Oliveira and Fernandes 2009, severity 1).
SIGHTS = {
    "every cone": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]}
TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                   [0.0193339, 0.1191920, 0.9503041]])  # of linear sRGB
OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000")


def linear(colour: str) -> np.ndarray:
    """Red, green and blue of #rrggbb, as light."""
    values = np.array([int(colour[k:k + 2], 16) / 255 for k in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055)**2.4)


def contrast(a: str, b: str) -> float:
    """WCAG 2.2's contrast ratio, from 1 to 21, of relative luminances."""
    low, high = sorted(linear(each) @ TO_XYZ[1] for each in (a, b))
    return (high + 0.05) / (low + 0.05)


def lab(light: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear sRGB, under D65."""
    x = light @ TO_XYZ.T / TO_XYZ.sum(1)
    f = np.where(x > (6 / 29)**3, np.cbrt(x), x / (3 * (6 / 29)**2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def nearest(colours: Iterable[str], sight: Any) -> float:
    """The smallest CIE distance between two of them, as seen: 2.3 is one that is just noticed."""
    seen = [lab(np.clip(np.array(sight) @ linear(c), 0, 1)) for c in colours]
    return min(float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2))


def test_methods_are_seen_on_both_papers():
    """3:1 is what WCAG 2.2 asks of graphics (1.4.11). Black is drawn on white only; its dot in the dark has a rim."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # WebAIM's contrast checker
    faint = {(c, paper) for c in COLOURS for paper in (LIGHT, DARK) if contrast(c, paper) < 3}
    assert faint == {(BLACK, DARK)}


@pytest.mark.parametrize("sight", SIGHTS)
def test_colour_blind_readers_tell_methods_apart(sight):
    """Better than by Okabe and Ito's palette, which was made for them."""
    assert lab(np.ones(3)) == pytest.approx([100, 0, 0], abs=0.01)
    assert lab(linear("#ff0000")) == pytest.approx([53.24, 80.09, 67.20], abs=0.02)  # Lindbloom's calculator
    assert nearest(COLOURS, SIGHTS[sight]) > nearest(OKABE_ITO, SIGHTS[sight])


def test_every_method_has_one_colour_whatever_else_runs():
    assert set(OWN) == {name for kind in known.kinds() for name in known.names(kind)}
    for others in (["gibbs"], ["loopy_bp", "annealed_importance_sampling", "mine"], list(OWN)):
        begin([*others, "mean_field"])
        assert colours()["mean_field"] == OWN["mean_field"]
        assert {name: look["color"] for name, look in styles(OWN).items()} == OWN


def test_an_option_keeps_the_methods_colour_and_a_users_own_has_one_that_is_free():
    begin(["row_gibbs", "coordinate_ascent", "coordinate_ascent_row", "mine"])
    plain, row = styles(["coordinate_ascent", "coordinate_ascent_row"]).values()
    assert plain["color"] == row["color"] and plain["linestyle"] != row["linestyle"]
    assert colour("mine") in FREE and colour("mine") not in (OWN["row_gibbs"], OWN["coordinate_ascent"])
    line = styles(["the first run"], {"the first run": "row_gibbs"})["the first run"]
    assert line["color"] == OWN["row_gibbs"] and line["linestyle"] == "--"


def test_no_two_methods_look_the_same():
    names = [*OWN, *(f"mine{k}" for k in range(3))]
    for kind in known.kinds():
        run = [name for name in names if name in known.names(kind) or name not in OWN]
        begin(run)
        looks = {(s["color"], s["marker"], s["linestyle"]) for s in styles(run).values()}
        assert len(looks) == len(run) and {s["color"] for s in styles(run).values()} <= set(PALETTE)
    assert colour("nobody") is None and colour(3.5) is None and not set(shades(4)) & {c.lower() for c in PALETTE}


RUN = ("row_gibbs", "coordinate_ascent", "maximum_likelihood")  # none of them has the first of the palette
RATINGS: dict[str, Any] = {
    "test_mean": np.linspace(1, 4, 40), "test_spread": np.linspace(0.1, 1, 40), "noise_variance": 1.0, "test_nll": 1.4,
    "train_nll": 1.2, "test_pit": np.linspace(0.01, 0.99, 40)}
TRACE = {name: [[2.0, 1.5, 1.4]] for name in ("test_nll", "train_nll", "elbo", "residual", "test_nll_last",
                                              "train_nll_last")}
FITS = [made(name, expected=RATINGS, trace=TRACE, facts={"warmup": 0}) for name in RUN]
SITES = ("swendsen_wang", "gibbs", "generalised_bp")
IMAGES = [made(name, expected={"labels": np.full((2, 2, 2), 0.5)}, trace=TRACE, log_evidence=1.0 + k)
          for k, name in enumerate(SITES)]
DRAWS = {name: np.random.default_rng(k).normal(size=(2, 50, 2)) for k, name in enumerate(RUN)}
BANDS = {f"{name}, rank=2": {"1": (1.0, 0.9, 1.1), "2": (2.0, 1.9, 2.1)} for name in RUN}
FIGURES = {
    "overview": lambda to: compare.overview(to, RUN, RUN, [compare.Panel("NLL", [1.0, 2.0, 3.0], [0.1] * 3)], "NLL"),
    "quality": lambda to: compare.quality(to, [compare.Way(f"a run of {name}", name, np.arange(1.0, 4.0), np.ones(3),
                                                           2.0) for name in RUN], 1.0),
    "sweep": lambda to: curves.by_setting(to, "rank", {"1": 1.0, "2": 2.0}, [curves.Panel("NLL", BANDS)], 2),
    "learning": lambda to: factorization.learning(to, FITS, 10),
    "by rank": lambda to: factorization.by_rank(to, {1: FITS[0], 2: FITS[0]}, 10),
    "predictions": lambda to: factorization.predictions(to, RATINGS["test_mean"], FITS),
    "uncertainty": lambda to: factorization.uncertainty(to, np.repeat([1, 9], 20), FITS),
    "spreads": lambda to: factorization.uncertainty(to, np.ones(40, int), FITS),
    "gradients": lambda to: factorization.gradients(to, {name: {"U": np.ones(9)} for name in ("a", "b")},
                                                    dict(zip("ab", RUN, strict=False))),
    "chains' sweeps": lambda to: sampling.sweeps(to, FITS, 2),
    "ranks": lambda to: sampling.ranks(to, {(1.0, 2): FITS[0]}, "test"),
    "overfitting": lambda to: sampling.overfitting(to, {(1.0, 2): FITS[0]}, {(1.0, 2): FITS[2]}),
    "calibration": lambda to: sampling.calibration(to, FITS[0], np.ones(40, int), np.array([0, 2, 9]), np.array(
        [0.9, 0.9]), np.array([40, 0]), 0.9),
    "crosscheck": lambda to: sampling.crosscheck(to, FITS[0], FITS[1:]),
    "traces": lambda to: chains.traces(to / "chains.png", {name: x[..., 0] for name, x in DRAWS.items()}, "x"),
    "convergence": lambda to: grid.convergence(to, "i", IMAGES),
    "marginals": lambda to: grid.marginals(to, "i", IMAGES[0], IMAGES),
    "ladder": lambda to: grid.evidence_ladder(to, "i", IMAGES[0], IMAGES),
    "densities": lambda to: program.marginals(to, DRAWS, ["x", "y"], [0, 1], RUN[0], None),
    "forest": lambda to: program.forest(to, DRAWS, ["x", "y"], [0, 1], RUN[0]),
    "pairs": lambda to: program.pairs(to, DRAWS, ["x", "y"], [0, 1], RUN[0]),
    "ranks of chains": lambda to: program.chains(to, DRAWS, ["x", "y"], [0, 1]),
    "predictive": lambda to: program.predictive(to, np.arange(40.0) / 7, np.ones((3, 40)) / 3, RUN[0]),
}


def painted(artist) -> set[str]:
    """The colours of an artist, without transparency, in small letters."""
    found = [getattr(artist, name)() for name in ("get_color", "get_facecolor", "get_edgecolor", "get_markerfacecolor")
             if hasattr(artist, name)]
    return {to_hex(c) for each in found if not (isinstance(each, str) and each == "none")
            for c in matplotlib.colors.to_rgba_array(each)}


@pytest.mark.parametrize("name", FIGURES)
def test_no_figure_draws_a_method_in_another_colour(name, drawn, tmp_path):
    """No colour of a method that is not there; beside its name (in a legend, above a panel, at a tick) its own."""
    begin([])
    FIGURES[name](tmp_path)
    own = {n: OWN[n].lower() for n in (*RUN, *SITES)}
    for axis in drawn[0].axes:
        artists = [a for a in (*axis.lines, *axis.collections, *axis.patches) if a.get_visible()]
        allowed = {own[n] for n in own if axis.get_title().startswith(title(n))} or set(own.values())
        used = {c for a in artists for c in painted(a)} & {c.lower() for c in PALETTE} - {"#000000"}
        assert used <= allowed, f"{name}: {used}"
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            shown = set().union(*map(painted, handle.get_children() if isinstance(handle, Container) else [handle]))
            assert all(own[n] in shown for n in own if n in label or title(n) in label), f"{name}: {label}"
        at = {place: own[n] for place, tick in zip(axis.get_yticks(), axis.get_yticklabels(), strict=False)
              for n in own if tick.get_text().startswith((n, title(n)))}
        for line in axis.get_lines():
            if len(line.get_ydata()) == 1 and line.get_ydata()[0] in at:
                assert to_hex(line.get_color()) == at[line.get_ydata()[0]], f"{name}: {at}"
