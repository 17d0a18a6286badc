"""Files written whole or not at all, what identifies one, and what is said where the disk refuses."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

from errors import InputError, short

PART = re.compile(r"\.[0-9a-f]{16}\.part")  # a file that is being written
SEAL = re.compile(rb"\n-- crosscheck, SHA-256 of what is above: ([0-9a-f]{64}) --\n")  # at the end of a file
SEALED = 110  # its length
BLOCK = 2**20  # bytes that are read or written at a time
LARGEST_JSON = 4 * 2**20  # bytes; what is read from it may take twenty times as many
FILE = "a file stands where a folder should"
HINTS = {errno.ENOSPC: "make room on the disk", errno.EDQUOT: "make room in the quota",
         errno.EROFS: "give a folder on a disk that can be written", errno.ENAMETOOLONG: "give a shorter name",
         errno.EACCES: "give a folder that is yours to write", errno.EPERM: "give a folder that is yours to write",
         errno.ENOENT: "its folder is not there, or not any more", errno.ENOTDIR: FILE,
         errno.EEXIST: FILE}


class whole:
    """`with whole(path) as aside:` write to `aside`, which then takes the place of `path`; after an error, or a kill at
    any moment, `path` is what it was.

    `aside` is a new file in the same folder under a name that nobody can guess, so no link is followed. The folder must
    be there: one that has vanished is not made again. Errors: OSError that names `path`.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.aside = self.path.with_name(f".{secrets.token_hex(8)}.part")

    def __enter__(self) -> Path:
        try:
            os.close(os.open(self.aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        except OSError as error:
            raise self._named(error) from error
        return self.aside

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        try:
            if error is None:
                to_disk(self.aside)
                os.replace(self.aside, self.path)
                to_disk(self.path.parent)
        except OSError as failed:
            raise self._named(failed) from failed
        finally:
            with suppress(OSError):
                self.aside.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise self._named(error) from error

    def _named(self, error: OSError) -> OSError:
        """The same error, of `path`; HDF5 says its number in words."""
        said = re.search(r"errno = (\d+)", str(error))
        number = int(said[1]) if said else error.errno
        return OSError(number, os.strerror(number), str(self.path)) if number else OSError(f"{self.path}: {error}")


def to_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, would survive a power cut."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that knows no such thing
            raise
    finally:
        os.close(handle)


@contextmanager
def room(path: Path, size: int) -> Iterator[None]:
    """Around a library that writes `size` bytes to `path` and does not say what the disk refused: where it fails, as
    many are written there by hand. Errors: OSError with its number, or what the library raised if there is room."""
    try:
        yield
    except (OSError, RuntimeError):
        with open(path, "ab", buffering=0) as file:
            try:
                for start in range(0, size, BLOCK):
                    file.write(bytes(min(BLOCK, size - start)))
            finally:
                file.truncate(0)  # netCDF4 keeps it open, and with it all the room that it takes
        raise


def seal(path: Path) -> None:
    """Put the fingerprint of a file's bytes at its end, and wait until it is on the disk; readers of NumPy's archives
    and of HDF5 do not mind it."""
    with open(path, "r+b") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0, os.SEEK_END)
        file.write(f"\n-- crosscheck, SHA-256 of what is above: {digest} --\n".encode())
    to_disk(path)


def sealed(path: Path) -> bool:
    """Whether every byte is as `seal` found it, so that a parser that trusts its input may be given it."""
    whole = path.stat().st_size - SEALED
    if whole < 0:
        return False
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for start in range(0, whole, BLOCK):
            digest.update(file.read(min(BLOCK, whole - start)))
        found = SEAL.fullmatch(file.read(SEALED + 1))
    return found is not None and found[1].decode() == digest.hexdigest()


def read_json(path: Path) -> Any:
    """What a small file of JSON says. Errors: InputError for one that is not JSON, or is not small."""
    if path.stat().st_size > LARGEST_JSON:
        raise InputError(f"{path} has more than {LARGEST_JSON} bytes, as no file of its kind has")
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON ({short(error)})") from None


def tidy(folder: Path) -> None:
    """Remove what a killed process was writing there."""
    for path in folder.rglob(".*.part"):
        if PART.fullmatch(path.name):
            path.unlink(missing_ok=True)


def only_ordinary(folder: Path) -> None:
    """Errors: InputError where anything below is neither a file nor a folder: writing or reading through a link would
    leave the folder, and a pipe would never end."""
    for place, folders, names in os.walk(folder):
        for path in (Path(place, name) for name in (*folders, *names)):
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                what = "a symbolic link" if stat.S_ISLNK(mode) else "neither a file nor a folder"
                raise InputError(f"{path} is {what}, which no run makes: remove it, or start a run of its own")


def fingerprint(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    found = path.stat()
    return _fingerprint(path, found.st_mtime_ns, found.st_size, found.st_ino)


@cache
def _fingerprint(path: Path, *_: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def said(error: OSError) -> str:
    """A failure of the disk as a sentence.

    >>> said(OSError(errno.ENOSPC, "No space left on device", "out/gibbs.nc"))
    'out/gibbs.nc: No space left on device (make room on the disk)'
    """
    hint = HINTS.get(error.errno or 0)
    where = f"{short(error.filename, 160)}: " if error.filename else ""
    return where + (error.strerror or str(error)) + (f" ({hint})" if hint else "")
