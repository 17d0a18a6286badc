"""One run: its folder, its seed, the words it was asked in, and whom it talks to; and how it ends."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

import files
from errors import InputError, Interrupted
from inference.interrupt import stopping
from inference.result import Result
from ranks import group
from runs import folder, notebook
from runs.busy import busy
from runs.records import Checkpoint, Entry
from runs.request import Request
from runs.started import Started, go_on
from runs.story import Story
from views import tables


@dataclass(frozen=True)
class Run:
    """What reports and endings need to know of a run."""

    problem: str
    folder: Path
    seed: int
    argv: Sequence[str]
    console: Console
    story: Story
    title: str = ""  # of the report; the problem's name without it
    notebook: bool = False

    def say(self, *sentences: str) -> None:
        """A line each, whole however long, and as it is."""
        self.story.say(*sentences)

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], spare: Sequence[str] = ()
              ) -> None:
        """A table; `spare` are the columns that a narrow terminal does without, the first to go first."""
        self.story.table(title, columns, rows, spare)

    def busy(self, what: str) -> AbstractContextManager[None]:
        """While it goes on, it is seen to."""
        return busy(self.console, what)

    def conclude(self, checkpoints: Sequence[Checkpoint], entries: Sequence[Entry], take_away: str = "") -> int:
        """The table of checkpoints, `summary.json`, the report, and what to take away; 0 if all passed, else 1."""
        shown = tables.checkpoints([asdict(c) for c in checkpoints]) if checkpoints else None
        if shown:
            tables.put(self.console, shown)
        folder.write_summary(self.folder, self.problem, self.argv, self.seed, checkpoints, entries)
        self.story.write(self.title or self.problem, shlex.join(["python", "run.py", *self.argv]), self.seed,
                         take_away, shown)
        failed = sum(not c.passed for c in checkpoints)
        said = f"{len(checkpoints) - failed} of {len(checkpoints)} checkpoints passed; " if checkpoints else ""
        self.console.print(f"{said}figures and results are in {self.folder}, all of it in report.html there",
                           soft_wrap=True)
        self.book()
        if take_away:
            self.console.print(take_away, soft_wrap=True, highlight=False, markup=False)
        return 1 if failed else 0

    def bare(self, results: Sequence[Result], entries: Sequence[Entry] | None = None) -> int:
        """The end under --bare: no checkpoints, no figures; exit status 0. `entries` are what is said of the results
        in `summary.json`, if it is more than what every result has."""
        lines = [Entry.of(r) for r in results] if entries is None else entries
        folder.write_summary(self.folder, self.problem, self.argv, self.seed, [], lines)
        print(f"{len(results)} result{'s' * (len(results) > 1)} in {self.folder}; "
              f"`python run.py compare {self.folder}` shows them")
        self.book()
        return 0

    def book(self) -> None:
        """The notebook, if it was asked for."""
        if self.notebook:
            path = notebook.write(self.folder, self.argv)
            self.console.print(f"marimo edit {shlex.quote(str(path))} opens it as a notebook", soft_wrap=True,
                               highlight=False, markup=False)


@contextmanager
def begun(request: Request, console: Console) -> Iterator[Run]:
    """The run of a request, in a new folder or the one to go on in, which is this process's alone meanwhile; on all
    ranks but the first one without a folder.

    Errors: as `check` and `resumable`.
    """
    if group.rank():  # the first one writes
        yield Run(request.problem, Path(os.devnull), request.seed, request.argv, console,
                  Story(console, Path(os.devnull), request.about), request.title)
        return
    out = request.resume or folder.create(request.out, request.problem, request.argv, request.cwd, request.data_files)
    with folder.held(out), resumable(out, request.argv):
        check(request)
        yield Run(request.problem, out, request.seed, request.argv, console, Story(console, out, request.about),
                  request.title, request.notebook)


def check(request: Request) -> None:
    """Errors: InputError where a run goes on and what it was started with has changed."""
    if request.resume:
        now = Started.now(request.problem, request.argv, request.cwd, request.data_files)
        Started.read(request.resume).check(request.resume, now)


@contextmanager
def resumable(out: Path, argv: Sequence[str]) -> Iterator[None]:
    """Errors: Interrupted for Ctrl-C, wherever it comes within, and InputError for a disk that refuses, both with how
    to go on."""
    try:
        with stopping():
            yield
    except (Interrupted, KeyboardInterrupt) as stopped:
        signum = getattr(stopped, "signum", 2)
        raise Interrupted(f"{str(stopped) or 'stopped'}; go on with: {go_on(out, argv)}", signum) from None
    except BrokenPipeError:
        raise  # nobody reads what is printed; the disk is well
    except OSError as error:
        raise InputError(f"{files.said(error)}; what was saved before is kept, go on with: "
                         f"{go_on(out, argv)}") from error
