"""`--resume DIR`: the words of a run that was stopped, of which those that execute a file are given again.

A folder may be somebody else's. What is in it is read, checked and added to; but a file of code is executed only if the
person who resumes names it, where they say it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from errors import InputError
from runs.started import Started, go_on, mentions


def arguments(out: Path, given: Sequence[str]) -> tuple[list[str], Path]:
    """Those that the run in `out` was started with, and where. Errors: InputError for a folder without a run, for a
    file to execute that is not named again, and for other words, which would be taken for a change."""
    started = Started.read(out)
    before, again = mentions(started.argv), mentions(given)
    if [m.plain for m in before] != [m.plain for m in again]:
        if before and not given:
            names = ", ".join(str(path) for mention in before for path in mention.paths)
            raise InputError(f"the run in {out} executes {names}; no file is executed because a folder says so: name "
                             f"it again, where you have it, as in: {go_on(out, started.argv)}")
        raise _refused(out, started, given)
    named = [m.option for m in again] + [m.value for m in again]
    if any(word not in named and word.partition("=")[0] not in named for word in given):
        raise _refused(out, started, given)
    argv = list(started.argv)
    for old, new in zip(before, again, strict=True):
        argv[old.index] = f"{new.option}={new.value}" if argv[old.index].startswith("--") else new.value
    return argv, Path(started.cwd)


def _refused(out: Path, started: Started, given: Sequence[str]) -> InputError:
    return InputError(f"--resume {out} goes on with the run as it was started, so {given[0]} cannot be given beside "
                      f"it: give exactly {go_on(out, started.argv)}, or start a run of its own")
