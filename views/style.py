"""The one look: colours for every reader, and one for each method, in the terminal, the figures and the report."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict

# Okabe and Ito (2008): distinct for colour-blind readers too.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000", "#F0E442")
MARKERS = "osD^vP*X"
OWN = {"mean_field": 0, "loopy_bp": 1, "gibbs": 2, "swendsen_wang": 3, "structured_mean_field": 4, "generalised_bp": 5,
       "strip": 6, "guide_mean_field_pyro": 0, "elbo_by_hand": 1, "row_gibbs": 2, "maximum_likelihood_als": 3,
       "kernel_row_gibbs_pyro": 4, "coordinate_ascent": 5, "nuts": 0, "hmc": 1, "composite_gibbs": 2, "enumeration": 6}


class Style(TypedDict):
    """How the lines of one method look."""

    color: str
    marker: str
    linestyle: str


_SLOTS: dict[str, int] = {}  # of the methods that have been shown in this run


def begin(names: Iterable[str]) -> None:
    """The methods of a run, before its first table: those that are best known have a colour of their own in every run,
    and the others the first that are free, in the order of their names."""
    _SLOTS.clear()
    wanted = sorted(set(names))
    for name in sorted(wanted, key=lambda name: name not in OWN):
        _SLOTS[name] = _free(OWN.get(name))


def _free(wished: int | None) -> int:
    taken = set(_SLOTS.values())
    if wished is not None and wished not in taken:
        return wished
    return next(k for k in range(len(taken) + 1) if k not in taken)


def styles(names: Iterable[str]) -> dict[str, Style]:
    """Colour and marker by method, the same in every figure of a run, whichever of its methods a figure shows."""
    names = list(names)
    for name in names:
        if name not in _SLOTS:
            _SLOTS[name] = _free(OWN.get(name))
    return {name: _look(_SLOTS[name]) for name in names}


def _look(slot: int) -> Style:
    turn, k = divmod(slot, len(PALETTE))
    return {"color": PALETTE[k], "marker": MARKERS[(k + turn) % len(MARKERS)], "linestyle": "-" if not turn else "--"}


def colour(name: object) -> str | None:
    """That of a method of this run; None of anything else."""
    return _look(_SLOTS[name])["color"] if isinstance(name, str) and name in _SLOTS else None


def colours() -> dict[str, str]:
    """Those of all methods of this run."""
    return {name: _look(slot)["color"] for name, slot in _SLOTS.items()}
