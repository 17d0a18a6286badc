"""What a run tells, said on the terminal as it comes and kept for the report."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from inference.result import versions
from runs import folder
from views.report import render
from views.report.page import Figure, Made, Page, Part
from views.style import colours
from views.tables import Table, put

PAGE = "report.json"  # in a run's folder: what report.html is made of


@dataclass
class Story:
    """Tables, sentences and figures, part by part, of the work in a folder; `about` as in `Page`."""

    console: Console
    folder: Path
    about: str
    parts: list[Part] = field(default_factory=lambda: [Part()])
    began: float = field(default_factory=time.monotonic)

    def part(self, title: str) -> None:
        """What comes now belongs together."""
        self.parts.append(Part(title))

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], spare: Sequence[str] = ()
              ) -> None:
        """A table; `spare` are the columns that a narrow terminal does without, the first to go first."""
        made = Table(title, columns, list(rows), spare)
        self.keep(tables=[made.words()])
        put(self.console, made)

    def say(self, *sentences: str) -> None:
        """A line each, whole however long, and as it is."""
        self.keep(said=sentences)
        self._print(*sentences)

    def doubt(self, *sentences: str) -> None:
        """The same of what did not converge and what to do about it."""
        self.keep(doubts=sentences)
        self._print(*sentences)

    def figure(self, path: Path | None, caption: str) -> None:
        """A figure that was drawn, and what it shows."""
        if path is not None:
            self.keep(figures=[Figure(str(path.relative_to(self.folder)), caption)])

    def keep(self, **more: Iterable[Any]) -> None:
        """For the report alone."""
        last = self.parts[-1]
        added = {name: [*getattr(last, name), *values] for name, values in more.items()}
        self.parts[-1] = Part(**{**vars(last), **added})

    def _print(self, *sentences: str) -> None:
        for sentence in sentences:
            self.console.print(sentence, soft_wrap=True, highlight=False, markup=False)

    def write(self, title: str, command: str, seed: int | None, take_away: str = "",
              checkpoints: Table | None = None) -> Path:
        """`report.html`, and `report.json`, of which it is made."""
        told = [part for part in self.parts if part.tables or part.said or part.doubts or part.figures]
        made = Made(command, seed, time.monotonic() - self.began, folder.machine(), versions())
        page = Page(title, self.about, take_away, told, made, None if checkpoints is None else checkpoints.words(),
                    colours())
        said: Mapping[str, Any] = asdict(page)
        folder.write_json(self.folder / PAGE, said)
        return render.write([page], self.folder)
