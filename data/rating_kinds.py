"""What kind of file bytes are: unpacked where they are packed, and named where they are no ratings."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import room
from data.rating_sheet import FILE, listed, plain
from errors import InputError

KNOWN = ("jester_ratings.dat", "ratings.csv", "ratings.dat", "u.data")  # looked for in archives of several files
LARGE, LIKELY = 2**23, 60  # bytes; unpacked, text is not so many times as long as packed
PIECE = 2**22
TAKES = 3  # times its own length that text takes while it is read, at the least
PACKED: dict[bytes, tuple[str, Callable[..., Any]]] = {
    b"\x1f\x8b": ("gzip", gzip.GzipFile), b"BZh": ("bzip2", bz2.BZ2File), b"\xfd7zXZ\0": ("xz", lzma.LZMAFile)}
CSV = "save it as CSV"
OTHERS = {  # how they begin: what they are, and what to do
    b"\xd0\xcf\x11\xe0": ("an Excel workbook (.xls)", CSV), b"%PDF": ("a PDF", "find the table as CSV"),
    b"\x89HDF": ("an HDF5 or NetCDF file", CSV), b"\x93NUMPY": ("a NumPy array", "save it as CSV, by numpy.savetxt"),
    b"\x80\x04": ("a Python pickle, which may run code and is not read", CSV), b"\x80\x05": (
        "a Python pickle, which may run code and is not read", CSV),
    b"SQLite format 3": ("an SQLite database", "export the table as CSV"), b"ARROW1": ("an Arrow or Feather file", CSV),
    b"FEA1": ("a Feather file", CSV), b"ORC": ("an ORC file", "save it as CSV or Parquet"),
    b"RDX": ("R's own format", CSV), b"\x28\xb5\x2f\xfd": ("packed by zstd", "unpack it"),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", "unpack it"), b"Rar!": ("a RAR archive", "unpack it"),
    b"\x89PNG": ("a picture", "give the table"), b"\xff\xd8\xff": ("a picture", "give the table"),
    b"Obj\x01": ("an Avro file", CSV), b"MATLAB 5.0": ("a MATLAB file", CSV)}
TEXTS = (  # how text begins, in small letters
    (r"\{\\rtf", "a rich text document", CSV),
    (r"<!doctype html|<html|<head|<body|<table|<!--", "HTML, a web page", "download the data itself, or save its table "
     "as CSV"),
    (r"<", "XML", CSV), (r"[\[{]", "JSON", "save it as CSV with the columns user, item and rating"),
    (r"@relation", "an ARFF file", CSV), (r"(insert into|create table|-- mysql)", "SQL", "export the table as CSV"),
    (r"version https://git-lfs", "a Git LFS pointer, not the file", "fetch the file itself"))


def unpacked(name: str, raw: bytes, depth: int = 0) -> tuple[str, bytes]:
    """The bytes inside, with the name of the file that holds them. Errors: InputError where it is damaged."""
    if depth > 3:
        raise InputError(f"{name} is packed more than three times over; unpack it")
    for magic, (kind, opened) in PACKED.items():
        if raw.startswith(magic):
            with _damage(name, kind), opened(fileobj=io.BytesIO(raw)) if kind == "gzip" else opened(
                    io.BytesIO(raw)) as file:
                inner = _all(name, file, len(raw))
            return unpacked(name, inner, depth + 1)
    if raw.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return unpacked(*_member(name, raw), depth + 1)
    found = next((said for magic, said in OTHERS.items() if raw.startswith(magic)), None)
    if found:
        raise InputError(f"{name} is {found[0]}: {found[1]}")
    if raw[257:262] == b"ustar":
        raise InputError(f"{name} is a tar archive: unpack it and give the file")
    return name, raw


def refuse_beyond(name: str, size: int, times: int = TAKES) -> None:
    """Errors: InputError where so many bytes of text, or so many times that, are more than is free."""
    room.refuse_beyond(f"reading {name}", times * size)


class _damage:
    """Errors within, of whatever unpacks, as one sentence."""

    def __init__(self, name: str, kind: str) -> None:
        self.name, self.kind = name, kind

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, InputError):
            return
        if isinstance(error, NotImplementedError | RuntimeError):
            raise InputError(f"the {self.kind} file {self.name} is packed by a method, or with a password, that is not "
                             f"read here; unpack it and give the file") from None
        if isinstance(error, OSError | EOFError | ValueError | LookupError | zlib.error | lzma.LZMAError |
                      zipfile.BadZipFile | MemoryError | OverflowError | struct.error):
            what = "zip archive" if self.kind == "zip" else f"{self.kind} file"
            raise InputError(f"{self.name} is a damaged {what}; fetch it again") from None


def _all(name: str, file: IO[bytes], packed: int) -> bytes:
    """Everything in it, unless it grows as no table does."""
    pieces, size = [], 0
    while piece := file.read(PIECE):
        pieces.append(piece)
        size += len(piece)
        refuse_beyond(name, size, 2)
        if size > LARGE and size > LIKELY * packed:
            raise InputError(f"{name} unpacks to {size // max(packed, 1):,} times its size or more, as no ratings do: "
                             f"unpack it and look")
    return b"".join(pieces)


def _member(name: str, raw: bytes) -> tuple[str, bytes]:
    """The one file in a zip archive, or the one whose name is that of ratings."""
    with _damage(name, "zip"), zipfile.ZipFile(io.BytesIO(raw)) as archive:
        files = [i for i in archive.infolist() if not i.is_dir() and "__MACOSX" not in i.filename
                 and not Path(i.filename).name.startswith(".")]
        names = [i.filename for i in files]
        office = next((what for part, what in (("xl/", "an Excel workbook"), ("word/", "a Word document"),
                                               ("content.xml", "an OpenDocument sheet or text"))
                       if any(n.startswith(part) for n in names)), None)
        if office:
            raise InputError(f"{name} is {office}: {CSV}, and give that")
        if files and all(n.endswith(".npy") for n in names):
            raise InputError(f"{name} is a NumPy archive (.npz): save it as CSV")
        found = files if len(files) == 1 else [i for i in files if Path(i.filename).name in KNOWN]
        if len(found) != 1:
            raise InputError(f"the zip archive {name} must hold one file, or one of {', '.join(KNOWN)}; it holds "
                             f"{listed([Path(n).name for n in names]) or 'nothing'}; unpack it and give the file")
        with archive.open(found[0]) as file:
            return plain(Path(found[0].filename).name, FILE), _all(name, file, max(found[0].compress_size, 1))


def check_text(name: str, text: str) -> None:
    """Errors: InputError for text that is no table, named for what it is."""
    start = text[:200].lstrip("\ufeff \t\r\n").lower()
    for pattern, what, do in TEXTS:
        if re.match(pattern, start):
            raise InputError(f"{name} is {what}: {do}")
