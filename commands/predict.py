"""`python run.py predict RESULT`: predictions and recommendations from a saved fit of ratings, without refitting."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from errors import InputError
from experiments.ratings import predictions
from inference.factorization.fitted.fit import Fit
from inference.factorization.fitted.ranking import top_n
from inference.result import Result
from models.timed import Timed
from views import tables
from views.numbers import with_error

ENDINGS = (".csv", ".parquet")
SHOWN = 10  # rows


@dataclass(frozen=True)
class Request:
    """What was asked for."""

    result: Path
    pairs: Path | None
    recommend: str | None
    new_users: Path | None
    user_features: Path | None
    use_times: bool
    columns: str | None
    top: int
    level: float
    out: Path | None

    @classmethod
    def of(cls, args: argparse.Namespace) -> Request:
        """Errors: InputError for what cannot be asked together."""
        asked = cls(*(getattr(args, name) for name in cls.__dataclass_fields__))
        if (asked.pairs is None) == (asked.recommend is None):
            raise InputError("say what to predict: --pairs FILE, or --recommend all or a file of users; one of the two")
        if asked.out is None or asked.out.suffix not in ENDINGS:
            raise InputError("say where to write the table: --out predictions.csv, or .parquet")
        if asked.out.exists():
            raise InputError(f"{asked.out} is there already: give another --out, or remove it")
        if not asked.out.parent.is_dir():
            raise InputError(f"--out {asked.out}: there is no folder {asked.out.parent}")
        if asked.top < 1 or not 0 < asked.level < 1:
            raise InputError(f"--top must be at least 1 and --level lie between 0 and 1, not {asked.top} and "
                             f"{asked.level:g}")
        if asked.user_features and not asked.new_users:
            raise InputError("--user-features would change nothing: it is about the users of --new-users; leave it out")
        if asked.use_times and not asked.pairs:
            raise InputError("--use-times would change nothing: it is about the pairs of --pairs; leave it out")
        if asked.recommend is None and "top" in getattr(args, "given", ()):
            raise InputError("--top would change nothing: it is how many --recommend lists; leave it out")
        return asked


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("result", type=Path, metavar="RESULT", help="a saved fit of Problem 2 or 3 (.nc), or the folder of a run with "
        "one")
    add("--pairs", type=Path, metavar="FILE", help="predict these: a file with a column of users and one of items")
    add("--recommend", metavar="all|FILE", help="the best unrated items of all users, or of those in a file; and how "
        "good that is on the fit's test set")
    add("--new-users", type=Path, metavar="FILE", help="ratings of users that the fit does not know: their factors are "
        "found given the fit's items, and --pairs or --recommend may be about them")
    add("--user-features", type=Path, metavar="FILE", help="what else is known of the new users, a table like that of "
        "the fit")
    add("--use-times", action="store_true", help="predict the pairs at the times that their file tells (of a fit with "
        "time; default: at any of those of their user and item)")
    add("--columns", metavar="user=...,item=...[,rating=...][,time=...]", help="which columns of these files are "
        "which (default: by the names that they usually have)")
    add("--top", type=int, default=10, metavar="N", help="how many to recommend (default 10)")
    add("--level", type=float, default=0.9, metavar="P", help="probability of the interval (default 0.9)")
    add("--out", type=Path, metavar="FILE", help="a new file, .csv or .parquet")


def run(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Exit status 0. Errors: InputError, before anything is written."""
    request, console = Request.of(args), tables.console()

    def say(line: str) -> None:
        console.print(line, soft_wrap=True, highlight=False, markup=False)

    path = found(request.result)
    fit = Fit.of(Result.load(path), str(path))
    say(f"{path}: {fit.name}, K = {fit.model.rank}, {len(fit.user_ids):,} users, {len(fit.item_ids):,} items, "
        f"{len(fit.draws):,} draw{'s' * (len(fit.draws) > 1)}")
    if fit.family == "point":
        say("It is a point: its intervals hold the noise, and not how unsure it is of the factors.")
    if request.use_times and not isinstance(fit.model, Timed):
        raise InputError("--use-times would change nothing: the fit has no effects of time; leave it out")
    new = predictions.read_new_users(fit, request.new_users, request.columns, say, request.user_features) \
        if request.new_users else None
    if request.pairs:
        table = predictions.of_pairs(fit, request.pairs, request.columns, request.level, new, say,
                                     request.use_times)
    else:
        table = predictions.recommended(fit, str(request.recommend), request.columns, request.top, request.level, new,
                                        say)
    assert request.out
    predictions.write(table, request.out)
    few = table.slice(0, SHOWN).to_pylist()
    tables.show(console, f"{len(table):,} predictions, the first {len(few)}; intervals of {request.level:.3g}",
                table.column_names, [list(row.values()) for row in few])
    if request.recommend == "all" and new is None:
        ranked(console, fit, request.top)
    say(f"the table is in {request.out}")
    return 0


def found(path: Path) -> Path:
    """The file of the fit; of a folder, the only one. Errors: InputError for none, or several."""
    if not path.is_dir():
        return path
    files = sorted(path.glob("*.nc"))
    if len(files) != 1:
        several = f"several fits, {', '.join(file.name for file in files)}: give one of them"
        raise InputError(f"{path} holds {several if files else 'no saved fit (.nc)'}")
    return files[0]


def ranked(console: Console, fit: Fit, top: int) -> None:
    """How good the lists are, on the test set."""
    scored = top_n(fit, top)
    if scored is None:
        console.print("No rating of the fit's test set is good enough to be worth recommending: no top-N figures.")
        return
    tables.show(console, f"The best {top} of {scored.users:,} users with a test rating of {scored.threshold:.3g} or "
                "more, in brackets standard errors over users; precision cannot reach 1 where few are tested",
                [f"{name}@{top}" for name in scored.scores], [[with_error(*each) for each in scored.scores.values()]])
