"""What a reader of somebody's file may do: give a value or one sentence, soon, in little memory."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from errors import InputError
from tests.support import ROOT

LONGEST = 300  # characters of a sentence
SECONDS = 1.0  # of processor time, for a small file
BYTES = 100 * 10**6  # of memory, beside four times the file


@dataclass(frozen=True)
class Reader:
    """suffix of its files; `seeds()` are whole ones; `read` takes a path."""

    suffix: str
    seeds: Callable[[], list[bytes]]
    read: Callable[[Path], object]


def fault(read: Callable[[Path], object], path: Path) -> str:
    """What is wrong with how a file is read, in a few words that are the same for faults of one kind; else nothing."""
    size, before, started = path.stat().st_size, _reset_peak(), time.process_time()
    said = ""
    try:
        read(path)
    except InputError as error:
        words = str(error)
        if len(words) > LONGEST:
            said = f"a sentence of {len(words) // 100 * 100} characters or more{_where(error)}"
        elif not words.isprintable():
            said = f"a sentence that is not printable{_where(error)}"
    except Exception as error:
        said = f"{type(error).__name__}{_where(error)}"
    if time.process_time() - started > SECONDS:
        said = said or f"more than {SECONDS:g} s"
    if before and _peak() - before > 4 * size + BYTES:
        said = said or "too much memory"
    return said


def _where(error: Exception) -> str:
    """The last line of ours that it went through."""
    ours = [f for f in traceback.extract_tb(error.__traceback__)
            if f.filename.startswith(str(ROOT)) and not f.filename.startswith(str(ROOT / "tests"))]
    return f" at {Path(ours[-1].filename).relative_to(ROOT)}:{ours[-1].lineno}" if ours else ""


def held() -> tuple[int, int]:
    """Bytes of addresses, and of memory, that this process has now (Linux)."""
    addresses, touched = os.pread(_own("statm", os.getpid()), 100, 0).split()[:2]
    page = os.sysconf("SC_PAGE_SIZE")
    return int(addresses) * page, int(touched) * page


@cache
def _own(name: str, pid: int) -> int:
    """A file of this process under /proc, open: it is asked a thousand times a second."""
    return os.open(f"/proc/{pid}/{name}", os.O_WRONLY if name == "clear_refs" else os.O_RDONLY)


def _reset_peak() -> int:
    """Forget the most memory that was ever held (Linux); bytes held now, or 0 where it cannot be known."""
    try:
        os.write(_own("clear_refs", os.getpid()), b"5")
    except OSError:
        return 0
    return held()[1]


def _peak() -> int:
    words = os.pread(_own("status", os.getpid()), 4096, 0)
    return int(words[words.index(b"VmHWM:") + 6:].split(None, 1)[0]) * 1024
