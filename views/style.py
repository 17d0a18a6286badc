"""The one look: colours for every reader, and one for each method, in the terminal, the figures, the report and the
playground. `COLOURS` decides and nothing else; what is no method (chains, K) has shades (`views/figures.py`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypedDict

# The hues of Okabe and Ito (2008), each seen on white and on the dark page (3:1), and so chosen that for colour-blind
# readers the nearest two lie farther apart than theirs; tests/views/test_style.py computes it.
PALETTE = ("#1356F6", "#CF811A", "#1A9387", "#B53C2E", "#B20EB5", "#2993FF", "#000000", "#F0E442")
BLUE, ORANGE, GREEN, RED, PINK, SKY, BLACK, _ = PALETTE  # the last, yellow, is no method's: it is not seen on white
MARKERS = "osD^vP*X"
DASHES = ("-", "--", ":", "-.")
# Methods that are often seen together differ in colour; in a run, those of one colour differ in marker and dash, the
# first here being the plain one.
COLOURS = {
    BLUE: ("mean_field", "guide_mean_field_pyro", "nuts_pyro", "tree_reweighted_bp", "collapsed_gibbs",
           "guide_by_site_pyro", "simulated_annealing"),
    ORANGE: ("loopy_bp", "elbo_by_hand", "hmc_pyro", "max_product", "guide_flow_pyro"),
    GREEN: ("gibbs", "row_gibbs", "composite_gibbs_pyro", "ladder_gibbs", "metropolised_gibbs", "trw_s",
            "guide_conditional_pyro", "roof_duality"),
    RED: ("swendsen_wang", "maximum_likelihood", "laplace", "parallel_tempering", "score_function", "random_walk",
          "random_walk_pyro", "alpha_expansion", "min_cut", "guide_delta_pyro"),
    PINK: ("structured_mean_field", "kernel_row_gibbs_pyro", "svi_auto_pyro", "entry_gibbs", "guide_normal_pyro",
           "row_block_gibbs", "hmc_within_gibbs", "guide_low_rank_pyro", "integer_programming"),
    SKY: ("generalised_bp", "coordinate_ascent", "guide_multivariate_normal_pyro", "annealed_importance_sampling",
          "sgld", "gibbs_pgmpy", "guide_full_covariance_pyro", "iterated_conditional_modes"),
    BLACK: ("strip", "brute_force", "junction_tree_pgmpy", "variable_elimination_pgmpy", "enumeration", "quadrature",
            "perfect_sampling", "importance_sampling"),
}
OWN = {name: colour for colour, names in COLOURS.items() for name in names}
FREE = tuple(COLOURS)  # for what is in no list, the first that the run has not


class Style(TypedDict):
    """How the lines of one method look."""

    color: str
    marker: str
    linestyle: str


_RUN: dict[str, tuple[str, int]] = {}  # colour, and which of that colour it is, of what has been shown in this run


def begin(names: Iterable[str]) -> None:
    """The methods of a run, before its first table."""
    _RUN.clear()
    order = list(OWN)
    for name in sorted(set(names), key=lambda name: (order.index(_base(name)) if _base(name) in OWN else len(order),
                                                     name)):
        _enter(name, name)


def styles(names: Iterable[str], of: Mapping[str, str] | None = None) -> dict[str, Style]:
    """Colour, marker and dash by name, the same in every figure of a run, whichever of its methods a figure shows.

    of  the method by name, where a line is called otherwise: it has the method's colour
    """
    names = list(names)
    for name in names:
        _enter(name, (of or {}).get(name, name))
    return {name: _look(*_RUN[name]) for name in names}


def _enter(name: str, method: str) -> None:
    if name in _RUN:
        return
    base, taken = _base(method), [colour for colour, _ in _RUN.values()]
    known = OWN.get(base) or (_RUN[base][0] if base in _RUN else None)
    colour = known or min(FREE, key=taken.count)
    _RUN[name] = colour, taken.count(colour)


def _base(name: str) -> str:
    """The method of which a name says an option too.

    >>> _base("coordinate_ascent_row"), _base("gibbs, beta=0.2"), _base("mine")
    ('coordinate_ascent', 'gibbs', 'mine')
    """
    return max((known for known in (*OWN, *_RUN) if name.startswith((f"{known}_", f"{known},")) or name == known),
               key=len, default=name)


def _look(colour: str, turn: int) -> Style:
    return {"color": colour, "marker": MARKERS[(PALETTE.index(colour) + turn) % len(MARKERS)],
            "linestyle": DASHES[turn % len(DASHES)]}


def colour(name: object) -> str | None:
    """That of a method of this run; None of anything else."""
    return _RUN[name][0] if isinstance(name, str) and name in _RUN else None


def colours() -> dict[str, str]:
    """Those of all methods of this run."""
    return {name: colour for name, (colour, _) in _RUN.items()}
