"""`--resume DIR`: the words of a run that was stopped, of which those that execute a file are given again.

A folder may be somebody else's. What is in it is read, checked and added to; but a file of code is executed only if the
person who resumes names it, where they say it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from errors import InputError, short
from runs.started import NAME, Started, go_on, mentions

READABLE = 300  # characters of a sentence


def arguments(out: Path, given: Sequence[str]) -> tuple[list[str], Path]:
    """Those that the run in `out` was started with, and where. Errors: InputError for a folder without a run, for a
    file to execute that is not named again, and for other words, which would be taken for a change."""
    started = Started.read(out)
    before, again = mentions(started.argv), mentions(given)
    if [m.plain for m in before] != [m.plain for m in again]:
        if before and not given:
            names = short(", ".join(str(path) for mention in before for path in mention.paths))
            raise _readable(f"no file is executed because a folder says so: name {names} again, where you have it, as "
                            f"in: ", out, started)
        raise _refused(out, started, given)
    named = [m.option for m in again] + [m.value for m in again]
    if any(word not in named and word.partition("=")[0] not in named for word in given):
        raise _refused(out, started, given)
    argv = list(started.argv)
    for old, new in zip(before, again, strict=True):
        argv[old.index] = f"{new.option}={new.value}" if argv[old.index].startswith("--") else new.value
    return argv, Path(started.cwd)


def _refused(out: Path, started: Started, given: Sequence[str]) -> InputError:
    return _readable(f"--resume goes on with the run as it was started, so {short(given[0], 30)} cannot be given "
                     f"beside it: start a run of its own, or give exactly ", out, started)


def _readable(sentence: str, out: Path, started: Started) -> InputError:
    """With the command that goes on, or where to find it if it is too long to be read."""
    command = go_on(out, started.argv)
    if len(sentence + command) > READABLE:
        command = f"--resume DIR and the words of {NAME} in it that name a .py file"
    return InputError(sentence + command)
