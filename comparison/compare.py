"""Any number of results of one problem, in one table and one set of figures.

What can be ranked among what is said in `comparison/ranking.py`. What cannot is refused in one sentence where
somebody asked to rank by it, and otherwise shown without a rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from rich.console import Console

from comparison import ranking, reading, report, saved, words
from comparison.reading import Given
from comparison.row import Row
from runs import folder
from runs.story import Story
from views import tables
from views.report import render
from views.style import begin, styles
from views.tables import Table


@dataclass(frozen=True, repr=False)
class Comparison:
    """Results beside each other, in order of rank within each set of data.

    sentences  what they show, in words
    left_out   sentences about results that were found and are of other data
    """

    rows: tuple[Row, ...]
    sentences: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    @property
    def tables(self) -> list[Table]:
        """What `python run.py compare` prints."""
        return [table for group in ranking.by_data(self.rows) for table in report.tables(group)]

    def coloured(self) -> None:
        """Every result has the colour of its method, whatever its label."""
        begin(row.result.name for row in self.rows)
        names = {label: row.result.name for row in self.rows for label in (row.label, row.series)}
        styles(names, names)

    def show(self, console: Console) -> None:
        """The tables and the sentences."""
        self.coloured()
        for table in self.tables:
            tables.put(console, table)
        for sentence in dict.fromkeys((*self.sentences, self.take_away)):
            if sentence:
                console.print(sentence, soft_wrap=True, highlight=False, markup=False)

    def save(self, place: Path | str, command: str | None = None, began: float | None = None) -> Path:
        """Write `comparison.json`, the figures and `report.html` into a folder; `command` is what made them, and
        `began` when, by `time.monotonic`, what is told of began."""
        from comparison import figures  # which imports matplotlib

        out = Path(place)
        out.mkdir(parents=True, exist_ok=True)
        self.coloured()
        story = Story(tables.console(), out, str(self.rows[0].saved.problem))
        story.began = began or story.began
        folder.write_json(out / "comparison.json", folder.finite({
            "command": command, "said": list(self.sentences), "results": [row.to_json() for row in self.rows]}))
        for path, caption in figures.draw(out, self.rows):
            story.figure(path, caption)
        story.keep(tables=[table.words() for table in self.tables],
                   said=dict.fromkeys((*self.left_out, *self.sentences)))
        story.write("Comparison", command or "", None, self.take_away)
        return out

    @property
    def take_away(self) -> str:
        """Which result is best here, by how much, with what doubt."""
        groups = ranking.by_data(self.rows)
        said = [words.take_away(group) for group in groups]
        return said[0] if len(said) == 1 else " ".join(
            f"On {report.heading(group)}: {sentence}" for group, sentence in zip(groups, said, strict=True) if sentence)

    def __repr__(self) -> str:
        return "\n".join([*(table.text() + "\n" for table in self.tables), *dict.fromkeys(self.sentences)])

    def _repr_html_(self) -> str:
        return "".join([*(render.table(table) for table in self.tables),
                        *(f"<p>{escape(sentence)}</p>" for sentence in dict.fromkeys(self.sentences))])


def compare(results: Given | Sequence[Given], *, by: str | None = None,
            quality: float | None = None) -> Comparison:
    """Results, files of results, and folders of runs and sweeps, set beside each other.

    by       what to rank by, a name of `ranking.MEASURES`; by default the first of `ranking.DEFAULT` that there is
    quality  what time is taken to: a test NLL in nats per rating (by default within 1% of the best), or an error of
             the marginals (by default 0.01)
    Errors: InputError for what cannot be compared, or not be ranked so.
    """
    found, left_out = reading.read([results] if isinstance(results, Given) else results)
    saved.check(found)
    rows = ranking.ranked(found, by, quality)
    said = [*words.apart(rows), *(sentence for group in ranking.by_data(rows) for sentence in words.sentences(group))]
    return Comparison(tuple(rows), tuple(said), tuple(left_out))
