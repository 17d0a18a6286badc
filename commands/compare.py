"""`python run.py compare RESULT...`: saved results of one problem, in one table and one set of figures."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from comparison.compare import compare
from comparison.ranking import MEASURES
from runs import folder
from views import tables


@dataclass(frozen=True)
class Request:
    """What was asked for."""

    results: tuple[Path, ...]
    by: str | None
    quality: float | None
    out: Path | None

    @classmethod
    def of(cls, args: argparse.Namespace) -> Request:
        return cls(tuple(args.results), args.by, args.quality, args.out)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("results", nargs="+", type=Path, metavar="RESULT",
        help="a saved result (.nc), the folder of a run (all results in it), or of a sweep")
    add("--by", choices=list(MEASURES), metavar="WHAT",
        help=f"rank by {', '.join(MEASURES)} (default: test_nll of ratings, max_error of grids with an exact result)")
    add("--quality", type=float, metavar="X",
        help="time is taken to this test NLL (default: within 1%% of the best), or on grids to this error of the "
        "marginals (default 0.01)")
    add("--out", type=Path, metavar="DIR", help="a new or empty directory (default: a new one under results/)")


def run(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Exit status 0. Errors: InputError, before anything is written, for what cannot be compared."""
    request, words = Request.of(args), ["compare", *argv]
    found = compare(request.results, by=request.by, quality=request.quality)
    out = folder.create(request.out, "compare", words)
    console = tables.console()
    for sentence in found.left_out:
        console.print(sentence, soft_wrap=True, highlight=False, markup=False)
    found.show(console)
    found.save(out, shlex.join(["python", "run.py", *words]))
    console.print(f"the table and the figures are in {out}, all of it in report.html there", soft_wrap=True,
                  markup=False)
    return 0
