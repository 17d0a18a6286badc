"""What a run told, read back from its folder: for the notebook that `--notebook` writes."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

import files
from errors import InputError
from runs.story import PAGE
from views.report.page import Page, Part
from views.tables import Table


@dataclass(frozen=True)
class Told:
    """Sentences, tables and figures of a run; a notebook shows them. A run under --bare told nothing."""

    folder: Path
    page: Page | None

    def heading(self, command: str) -> str:
        """The title, the command, and what to take away."""
        title, take_away = (self.page.title, self.page.take_away) if self.page else ("A run under --bare", "")
        return (f"<h1>{escape(title)}</h1><pre style='overflow-x:auto' tabindex='0'>{escape(command)}</pre>"
                f"<p>{escape(take_away)}</p>")

    def _repr_html_(self) -> str:
        return "".join(self._part(part) for part in self.page.parts) if self.page else ""

    def _part(self, part: Part) -> str:
        from crosscheck.figures import Picture  # imports matplotlib

        found = [f"<h3>{escape(part.title)}</h3>" if part.title else ""]
        found += [_table(table) for table in part.tables]
        found += [f"<p>{escape(sentence)}</p>" for sentence in (*part.said, *part.doubts)]
        for figure in part.figures:
            picture = Picture((self.folder / figure.path).read_bytes(), figure.caption)
            found.append(f"<figure>{picture._repr_html_()}<figcaption>{escape(figure.caption)}</figcaption></figure>")
        return "\n".join(found)


def _table(table: Table) -> str:
    head = "".join(f"<th scope='col'>{escape(str(name))}</th>" for name in table.columns)
    rows = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in table.rows)
    return (f"<div style='overflow-x:auto' tabindex='0'><table><caption>{escape(table.title)}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>")


def story(folder: str | Path) -> Told:
    """Of the run in a folder. Errors: InputError where there is no folder."""
    place = Path(folder)
    if not place.is_dir():
        raise InputError(f"there is no folder {place}: if the run's was moved, say where it is now")
    return Told(place, Page.of(files.read_json(place / PAGE)) if (place / PAGE).exists() else None)
