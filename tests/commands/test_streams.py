"""Standard output that is closed, full or a pipe that nobody reads; disks that refuse, wherever it comes."""

import errno
import os
import sys

import pytest

import run
from commands import streams
from errors import InputError
from runs.run import resumable
from views import tables


def refuses(error: OSError):
    def main(argv):
        raise error
    return main


@pytest.mark.parametrize(("code", "says"), [
    (errno.ENOSPC, "make room on the disk"), (errno.EROFS, "Read-only"), (errno.EACCES, "Permission denied"),
    (errno.ENAMETOOLONG, "give a shorter name"), (errno.ENOENT, "its folder is not there"),
    (errno.ENOTDIR, "a file stands where a folder should"), (errno.EEXIST, "a file stands where a folder should"),
    (errno.EIO, "Input/output error"),
])
def test_what_a_disk_refuses_is_a_sentence(monkeypatch, capsys, code, says):
    error = OSError(code, os.strerror(code), "out/gibbs.nc")
    monkeypatch.setattr(run, "main", refuses(error))
    assert run.guarded([]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: out/gibbs.nc: ") and says in said and said.count("\n") == 1
    with pytest.raises(InputError, match="what was saved before is kept, go on with"), resumable(run.Path("out"), []):
        raise error


def test_a_pipe_that_nobody_reads_ends_it_quietly(monkeypatch):
    """As `| head -1` does: nothing is said, and the exit status is that of SIGPIPE."""
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        monkeypatch.setattr(run, "main", lambda argv: tables.show(tables.console(), "A title", ("a",), [(1,)]))
        assert run.guarded([]) == 141
        with pytest.raises(BrokenPipeError), resumable(run.Path("out"), []):
            raise BrokenPipeError


def test_a_closed_stream_is_no_reason_to_fail(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    streams.opened()
    assert print("nobody hears this") is None and not sys.stdout.isatty()
    sys.stdout.close()
