"""What a report holds, as a value: words, tables as they are read, and the names of figures; on disk as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from views.tables import Table


@dataclass(frozen=True)
class Figure:
    """A picture, by its path below the report's folder, and the sentence that says what it shows."""

    path: str
    caption: str


@dataclass(frozen=True)
class Part:
    """What belongs together: one image, one set of ratings, one verdict."""

    title: str = ""
    tables: Sequence[Table] = ()
    said: Sequence[str] = ()
    doubts: Sequence[str] = ()  # what did not converge, and what to do
    figures: Sequence[Figure] = ()


@dataclass(frozen=True)
class Made:
    """How to make it again."""

    command: str
    seed: int | None
    seconds: float
    machine: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """A whole report.

    about       the kind of model, or `check`: which question, figure of the model and equations it has
    take_away   the sentence to remember
    colours     of the methods, by name
    """

    title: str
    about: str
    take_away: str
    parts: Sequence[Part]
    made: Made
    checkpoints: Table | None = None
    colours: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Page:
        """From what `dataclasses.asdict` made of it."""
        parts = [Part(p["title"], [Table(**t) for t in p["tables"]], p["said"], p["doubts"],
                      [Figure(**f) for f in p["figures"]]) for p in said["parts"]]
        checkpoints = None if said["checkpoints"] is None else Table(**said["checkpoints"])
        return cls(**{**said, "parts": parts, "made": Made(**said["made"]), "checkpoints": checkpoints})
