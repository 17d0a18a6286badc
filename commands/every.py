"""`python run.py --problem all`: every problem of ours as it is by default, and one report of them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

from commands.parser import Parser
from runs import folder, started
from runs.run import resumable
from runs.started import Started
from runs.story import PAGE
from views import tables
from views.report import render
from views.report.page import Page
from views.report.reading import page_of


def parser() -> Parser:
    """What can be said of all of them at once."""
    found = Parser(listed="python run.py --problem all --help", prog="run.py",
                    description="Every problem as it is by default, and one report of them all.")
    found.add_argument("--problem")
    found.add_argument("--out", type=Path, metavar="DIR", help="a new or empty directory (default: under results/)")
    found.add_argument("--seed", type=int, default=0, metavar="N", help="the seed of all of them (default 0)")
    return found


def run(problems: Mapping[str, ModuleType], parsers: Mapping[str, Parser], argv: Sequence[str], resume: Path | None
        ) -> int:
    """The worst of their exit statuses: 0 if every checkpoint passed, 1 if one failed."""
    args = parser().parse_args(argv)
    out = resume or folder.create(args.out, "all", argv)
    statuses = []
    with folder.held(out), resumable(out, argv):
        if resume:
            Started.read(resume).check(resume, Started.now("all", argv, Path.cwd(), {}))
        for name, inside in problems.items():
            statuses.append(_one(name, inside, parsers[name], out / f"problem{name}", args.seed))
        pages, where = reported(out, list(problems))
    passed = [row[-1] == "pass" for page in pages if page.checkpoints for row in page.checkpoints.rows]
    tables.console().print(f"{sum(passed)} of {len(passed)} checkpoints of {len(pages)} problems passed; all of it is "
                           f"in {where}", soft_wrap=True, highlight=False, markup=False)
    return max(statuses)


def reported(out: Path, problems: Sequence[str]) -> tuple[list[Page], Path]:
    """The pages of these problems, and one report of them all. Errors: InputError for a page that no run wrote."""
    below = [f"problem{name}" for name in problems]
    pages = [page_of(out / name / PAGE) for name in below]
    return pages, render.write(pages, out, below)


def _one(name: str, inside: ModuleType, parser: Parser, place: Path, seed: int) -> int:
    """One of them in its own folder, where it goes on if it was begun."""
    if (place / PAGE).exists():
        shown = page_of(place / PAGE).checkpoints
        return int(shown is not None and any(row[-1] != "pass" for row in shown.rows))
    argv = ["--problem", name, f"--out={place}", f"--seed={seed}"]
    begun = place if (place / started.NAME).exists() else None
    return int(inside.run(inside.Request.made(vars(parser.parse_args(argv)), argv, begun)))
