"""What took long on the way to a verdict, so that a check that was stopped goes on and says what it would have said.

Such work is asked for through `kept`, in an order that the seed decides. Its value is written down, with the state of
the random numbers and the processor seconds after it. A check that goes on asks for the same again: it is handed what
is written, and works from where that ends. Where it asks for something else, for the clock has a say in how much is
asked for, what was written from there on is forgotten. All of it is where the check then fails: a fault of ours is met
again without, and what somebody else has put into the file is not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from torch import Generator, Tensor

from checks.budget import current
from checks.verdict import Finding, Verdict
from errors import InputError
from inference import checkpoint, identity

FAULTS = (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError)  # but InputError
EVERY = 5.0  # seconds between two saves, or twenty times what the last one took
OURS = "checks"  # the folder whose code makes verdicts, beside that of the methods
T = TypeVar("T")


@dataclass
class Entry:
    """One piece of work: what was asked for, what came of it, and the generator and the clock after it."""

    asked: str
    value: Any
    generator: Tensor | None
    spent: float


@dataclass
class Journal:
    """Of a check: the verdicts that were reached, and the way to the next one; `path` is the file of both."""

    path: Path
    verdicts: list[Verdict] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    read: int = 0  # of the entries, again
    given: int = 0  # of the verdicts
    again: bool = False  # some of it is of an earlier process:
    finished: int = 0  # so many verdicts
    old: int = 0  # and so many entries
    saves: list[float] = field(default_factory=list)  # seconds that each took
    saved: float = field(default_factory=time.monotonic)

    def verdict(self, make: Callable[[], Verdict]) -> Verdict:
        """The next one."""
        if self.given == len(self.verdicts):
            self.verdicts.append(self._made(make))
            self.entries, self.read = [], 0
            self._save()
        self.given += 1
        return self.verdicts[self.given - 1]

    def _made(self, make: Callable[[], Verdict]) -> Verdict:
        try:
            return make()
        except InputError:
            raise
        except FAULTS:
            old, self.old, self.finished = self.old, 0, 0
            if not old:
                raise
        self.entries, self.read = [], 0
        return make()

    def kept(self, asked: str, make: Callable[[], T], rng: Generator | None) -> T:
        entry = self._written(asked)
        if entry is None:
            entry = Entry(asked, make(), None if rng is None else rng.get_state(), current().spent)
            self.entries.append(entry)
            self.read += 1
            if time.monotonic() - self.saved > max(EVERY, 20 * max(self.saves[-1:], default=0)):
                self.save()
        elif rng is not None and entry.generator is not None:
            rng.set_state(entry.generator)
        value: T = entry.value
        return value

    def _written(self, asked: str) -> Entry | None:
        if self.read < len(self.entries) and self.entries[self.read].asked != asked:
            del self.entries[self.read:]
        if self.read == len(self.entries):
            return None
        self.read += 1
        current().spend(self.entries[self.read - 1].spent)
        return self.entries[self.read - 1]

    def save(self) -> None:
        """On the way."""
        began = time.monotonic()
        self._save()
        self.saved = time.monotonic()
        self.saves.append(self.saved - began)

    def _save(self) -> None:
        checkpoint.save(self.path, {"code": identity.code(OURS), "verdicts": self.verdicts, "entries": self.entries})


_NOW: ContextVar[Journal | None] = ContextVar("journal", default=None)


def kept(asked: str, make: Callable[[], T], rng: Generator | None = None) -> T:
    """What `make` returns, or returned before the check was stopped. It may hold tensors, numbers, words, lists, tuples
    and dicts, and draws from no other generator than `rng`."""
    journal = _NOW.get()
    return make() if journal is None else journal.kept(asked, make, rng)


@contextmanager
def written(path: Path) -> Iterator[Journal]:
    """Whatever is judged within is written to this file, and goes on from it where it is there.

    Errors: InputError for a file that is not as it was written, or that another version wrote.
    """
    journal = _read(path) if path.exists() else Journal(path)
    token = _NOW.set(journal)
    try:
        yield journal
    except KeyboardInterrupt:
        journal.save()
        raise
    except InputError:
        if not journal.again and not journal.verdicts:  # what an earlier process did stays
            path.unlink(missing_ok=True)
        raise
    except FAULTS as error:
        if journal.finished:  # by a verdict that somebody else put there
            raise _foreign(path) from error
        raise
    finally:
        _NOW.reset(token)


def _read(path: Path) -> Journal:
    try:
        saved = checkpoint.load(path, (Verdict, Finding, Entry))
        verdicts, entries = saved["verdicts"], saved["entries"]
        journal = Journal(path, verdicts, entries, again=True, finished=len(verdicts), old=len(entries))
        sound = all(isinstance(verdict, Verdict) for verdict in journal.verdicts) and all(
            isinstance(entry, Entry) and isinstance(entry.spent, float) for entry in journal.entries)
        sound &= saved["code"] == identity.code(OURS)
    except (OSError, InputError, KeyError, TypeError, ValueError) as error:
        raise _foreign(path) from error
    if not sound:
        raise _foreign(path)
    return journal


def _foreign(path: Path) -> InputError:
    return InputError(f"{path} is not as this version writes it: delete it to begin this check again")
