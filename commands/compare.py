"""`python run.py compare RESULT...`: any number of saved results of one problem, in one table and one set of figures.

What can be ranked among what is said in `comparison/ranking.py`. What cannot is refused in one sentence where
somebody asked to rank by it, and otherwise shown without a rank.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from comparison import ranking, saved
from comparison import words as words_compare
from comparison.ranking import NAMES, Line, Row
from runs import folder
from views import compare as views
from views import curves, tables


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("results", nargs="+", type=Path, metavar="RESULT",
        help="a saved result (.nc), the folder of a run (all results in it), or of a sweep")
    add("--by", choices=list(NAMES), metavar="WHAT",
        help=f"rank by {', '.join(NAMES)} (default: test_nll of ratings, max_error of grids with an exact result)")
    add("--quality", type=float, metavar="X",
        help="time is taken to this test NLL (default: within 1%% of the best), or on grids to this error of the "
        "marginals (default 0.01)")
    add("--out", type=Path, metavar="DIR", help="a new or empty directory (default: a new one under results/)")


def run(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Exit status 0. Errors: InputError, before anything is written, for what cannot be compared."""
    results, left = saved.read(args.results)
    saved.check(results)
    lines = ranking.lines(results, args.by, args.quality)
    out = folder.create(args.out, "compare", ["compare", *argv])
    console = tables.console()
    for sentence in left:
        console.print(sentence, soft_wrap=True, highlight=False)
    report(console, lines, out, ["compare", *argv])
    console.print(f"the table and the figures are in {out}", soft_wrap=True)
    return 0


def report(console: Console, lines: Sequence[Line], out: Path, argv: Sequence[str]) -> None:
    """The tables, the sentences, the figures and `comparison.json`."""
    said: list[str] = []
    groups = [[n for n in lines if n.saved.target == target] for target in dict.fromkeys(n.saved.target for n in lines)]
    for group in groups:
        table(console, [n.row for n in group])
        said += words_compare.sentences([n.row for n in group])
    for sentence in dict.fromkeys(said):
        console.print(sentence, soft_wrap=True, highlight=False)
    rows = [n.row for n in lines]
    folder.write_json(out / "comparison.json", folder.finite({
        "command": shlex.join(["python", "run.py", *argv]), "said": said, "results": rows}))
    if len(groups) == 1:
        views.overview(out, rows)
        views.quality(out, [(n.row, n.saved.result) for n in lines])
    curves.by_setting(out, rows)


def table(console: Console, rows: Sequence[Row]) -> None:
    """One set of data, in order of rank: what each result is worth; then what it rests on."""
    first = rows[0]
    if len({r["series"] for r in rows}) < len(rows) and any("seed" in r["settings"] for r in rows):
        averages(console, rows)
        return
    tables.show(console, f"{_heading(rows)}; ranked by {first['ranked_by']}; seconds in all, and to "
                f"{'an error' if first['problem'] == 'grid' else 'an NLL'} of {first['quality']:.4g}",
                ("", "result", "by", "test NLL", "above the best", "train NLL", "RMSE", "max error", "mean error",
                 "evidence", "seconds", "to quality"),
                [(r["place"], r["label"], r["by"], _four(r["test_nll"]), _gap(r), _four(r["train_nll"]),
                  _four(r["test_rmse"]), r["max_error"], r["mean_error"], _evidence(r), _three(r["seconds"]),
                  _three(r["seconds_to_quality"])) for r in rows])
    beside = [r for r in rows if r["z"] is not None or r["sds"] is not None or r["ess"] is not None]
    if beside:
        tables.show(console, "Agreement with the reference, in Monte Carlo standard errors (1 is chance) and in "
                    "posterior sds; chains, by their worst prediction",
                    ("result", "reference", "z", "worst z", "sds", "R-hat", "ESS", "ESS/s"),
                    [(r["label"], "itself" if r["reference"] == r["label"] else r["reference"], _three(r["z"]),
                      _three(r["worst"]), _three(r["sds"]), None if r["rhat"] is None else f"{r['rhat']:.3f}",
                      None if r["ess"] is None else round(r["ess"]), _three(r["ess_per_second"])) for r in beside])


def averages(console: Console, rows: Sequence[Row]) -> None:
    """The same over the seeds of a sweep: a line for each of the rest, in order of the mean."""
    first = rows[0]
    lines = []
    for series in dict.fromkeys(r["series"] for r in rows):
        group = [r for r in rows if r["series"] == series]
        means = {f: None if any(r[f] is None for r in group) else float(np.mean([r[f] for r in group]))
                 for f in group[0] if all(isinstance(r[f], float | None) for r in group)}
        ends = sorted(r["test_nll"] for r in group if r["test_nll"] is not None)
        lines.append((means[first["ranked_by"]], (
            series, len(group), _four(means["test_nll"]), f"{ends[0]:.4f} to {ends[-1]:.4f}" if ends else None,
            _four(means["test_rmse"]), means["max_error"], _evidence(group[0] | {"evidence": means["evidence"]}),
            *map(_three, (means["ess_per_second"], means["seconds"], means["seconds_to_quality"])))))
    sign = -1 if first["ranked_by"] in ranking.HIGHER else 1
    lines.sort(key=lambda line: np.inf if line[0] is None else sign * line[0])
    tables.show(console, f"{_heading(rows)}; means over seeds, by {first['ranked_by']} (comparison.json has every run)",
                ("result", "runs", "test NLL", "lowest, highest", "RMSE", "max error", "evidence", "ESS/s", "seconds",
                 "to quality"), [line for _, line in lines])


def _heading(rows: Sequence[Row]) -> str:
    """What the results are of; of a grid in a sweep, the settings that all of them share."""
    first = rows[0]
    if first["problem"] != "grid":
        return (f"{first['num_train']:,} ratings to train on, {first['num_test'] or 0:,} to test; NLL and evidence in "
                f"nats per rating")
    shared = [f"{n}={v}" for n, v in first["settings"].items() if all(r["settings"].get(n) == v for r in rows)]
    size = f"{first['model']['height']} x {first['model']['width']} grid, {first['model']['labels']} labels"
    return ", ".join([size, *shared])


def _four(value: float | None) -> str | None:
    return None if value is None else f"{value:.4f}"


def _gap(row: Row) -> str | None:
    """How far above the best test NLL, with its standard error over the test ratings."""
    return None if row["gap"] is None or not row["gap"] else f"+{row['gap']:.4f} ({row['gap_error']:.4f})"


def _evidence(row: Row) -> str | None:
    """Of ratings in nats per rating; of grids log Z in nats; >= a lower bound, <= an upper one, ~ neither."""
    if row["evidence"] is None:
        return None
    sign = {"exact": "", "lower bound": ">= ", "upper bound": "<= "}.get(row["evidence_kind"], "~ ")
    return sign + (f"{row['evidence'] / row['num_train']:.4f}" if row["num_train"] else f"{row['evidence']:.9g}")


def _three(value: float | None) -> str | None:
    """Three figures, as 1,230 rather than 1.23e+03."""
    return None if value is None else f"{float(f'{value:.3g}'):,.0f}" if 100 <= abs(value) < 1e6 else f"{value:.3g}"
