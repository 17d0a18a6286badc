"""The figures of the reports, from results, for a notebook: the functions of `views/` without their folder.

    cc.figures.marginals("small", exact, [fast, chains])

Each returns a `Picture`, which a notebook shows, and which `save` writes; or None where there is nothing to draw.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Concatenate, ParamSpec

from views import chains, curves, factorization, grid, pictures, program, ratings, sampling
from views import check as checked

P = ParamSpec("P")
Panel = curves.Panel


@dataclass(frozen=True)
class Picture:
    """A figure as the bytes of a PNG; `says` is for who cannot see it."""

    png: bytes
    says: str

    def save(self, path: str | Path) -> Path:
        """Write it."""
        place = Path(path)
        place.write_bytes(self.png)
        return place

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.png).decode()
        return (f'<img alt="{escape(self.says)}" src="data:image/png;base64,{data}" '
                f'style="max-width:min(100%,760px);height:auto;background:white">')


def drawn(view: Callable[Concatenate[Path, P], Path | None]) -> Callable[P, Picture | None]:
    """A view that needs no folder."""
    @functools.wraps(view)
    def figure(*args: P.args, **kwargs: P.kwargs) -> Picture | None:
        with TemporaryDirectory() as folder:
            path = view(Path(folder), *args, **kwargs)
            return Picture(path.read_bytes(), (view.__doc__ or "").partition("\n")[0]) if path else None

    return figure


def _in_file(view: Callable[Concatenate[Path, P], Path | None]) -> Callable[Concatenate[Path, P], Path | None]:
    """The same for a view that is given its file."""
    @functools.wraps(view)
    def placed(folder: Path, *args: P.args, **kwargs: P.kwargs) -> Path | None:
        return view(folder / "figure.png", *args, **kwargs)

    return placed


# of grids
denoised, marginals, entropy = drawn(pictures.denoised), drawn(grid.marginals), drawn(grid.entropy)
convergence, evidence_ladder = drawn(grid.convergence), drawn(grid.evidence_ladder)
# of ratings
learning, by_rank = drawn(factorization.learning), drawn(factorization.by_rank)
gradients = drawn(factorization.gradients)
predictions, uncertainty = drawn(factorization.predictions), drawn(factorization.uncertainty)
sweeps, ranks, overfitting = drawn(sampling.sweeps), drawn(sampling.ranks), drawn(sampling.overfitting)
crosscheck, overview, items = drawn(sampling.crosscheck), drawn(ratings.overview), drawn(ratings.items)
# of a program
program_marginals, forest = drawn(program.marginals), drawn(program.forest)
pairs, program_chains, predictive = drawn(program.pairs), drawn(program.chains), drawn(program.predictive)
# of any
by_setting, traces, scores = drawn(curves.by_setting), drawn(_in_file(chains.traces)), drawn(_in_file(checked.scores))
