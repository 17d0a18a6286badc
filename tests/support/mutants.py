"""Whole files made wrong: bytes, words and numbers in text, fields of a header, members of an archive."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from files import SEALED, seal, sealed

if TYPE_CHECKING:
    import h5py

Thing = TypeVar("Thing")
Bytes = Callable[[np.random.Generator, bytes], bytes]
NUMBERS = ("0", "-1", "1", "2", "255", "65536", "99999", "3000000000", "99999999999999999999", "1e308", "1e999", "nan",
           "-inf", "0x10", "1_0", "٣", "2" * 5000, "True", "None", "", ".", "1e-320")
WORDS = ("\0", "\x1b[31m", "é", "\ud800", "x" * 4000, "[" * 3000, "null", "{}", "'", "\\u0000", "../..", "\r\n", "#")
JSON: tuple[object, ...] = (None, True, 0, -1, 2**70, 1e308, "", "x" * 5000, "\0", "\ud800", [], {}, [[]], {"a": {}},
                            "a.py", "/dev/zero", [1, 2, 3])
NOT_NUMBERS = (np.nan, np.inf, -1, 1e300)
HOW = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2)
VALUES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)


def mutant(rng: np.random.Generator, seeds: Sequence[bytes], own: Sequence[Bytes]) -> bytes:
    """One file made wrong once to four times; half of the time in the ways of its `own` kind."""
    raw = one(rng, seeds)
    if rng.random() < 0.1:
        raw = spliced(rng, raw, one(rng, seeds))
    for _ in range(rng.integers(1, 5)):
        ways = own if own and rng.random() < 0.5 else COMMON
        raw = one(rng, ways)(rng, raw)
    return raw


def one(rng: np.random.Generator, things: Sequence[Thing]) -> Thing:
    return things[int(rng.integers(len(things)))]


def flipped(rng: np.random.Generator, raw: bytes) -> bytes:
    found = bytearray(raw)
    for place in rng.integers(0, max(len(raw), 1), rng.integers(1, 9)) if raw else ():
        found[place] ^= 1 << int(rng.integers(8))
    return bytes(found)


def overwritten(rng: np.random.Generator, raw: bytes) -> bytes:
    """A number of 1 to 8 bytes, likely an extreme one."""
    width = int(rng.choice([1, 2, 4, 8]))
    value = int(one(rng, VALUES)) % 256**width
    place = int(rng.integers(0, max(len(raw) - width, 1)))
    return raw[:place] + value.to_bytes(width, "big" if rng.random() < 0.5 else "little") + raw[place + width:]


def cut(rng: np.random.Generator, raw: bytes) -> bytes:
    return raw[: rng.integers(0, len(raw) + 1)]


def removed(rng: np.random.Generator, raw: bytes) -> bytes:
    a, b = _stretch(rng, raw)
    return raw[:a] + raw[b:]


def repeated(rng: np.random.Generator, raw: bytes) -> bytes:
    a, b = _stretch(rng, raw)
    return raw[:b] + raw[a:b] * int(rng.integers(1, 20)) + raw[b:]


def inserted(rng: np.random.Generator, raw: bytes) -> bytes:
    place = int(rng.integers(0, len(raw) + 1))
    return raw[:place] + rng.bytes(int(rng.integers(1, 9))) + raw[place:]


def spliced(rng: np.random.Generator, raw: bytes, other: bytes) -> bytes:
    return cut(rng, raw) + other[rng.integers(0, len(other) + 1):]


def number_replaced(rng: np.random.Generator, raw: bytes) -> bytes:
    """In text, or in a header that is text."""
    found = list(re.finditer(rb"[-+]?[0-9.]+", raw))
    if not found:
        return raw
    at = one(rng, found)
    return raw[: at.start()] + one(rng, NUMBERS).encode() + raw[at.end():]


def word_inserted(rng: np.random.Generator, raw: bytes) -> bytes:
    place = int(rng.integers(0, len(raw) + 1))
    return raw[:place] + one(rng, WORDS).encode("utf-8", "surrogatepass") + raw[place:]


def _stretch(rng: np.random.Generator, raw: bytes) -> tuple[int, int]:
    a, b = sorted(rng.integers(0, len(raw) + 1, 2).tolist())
    return a, min(b, a + 200)


COMMON: tuple[Bytes, ...] = (flipped, flipped, overwritten, overwritten, cut, removed, repeated, inserted,
                             number_replaced, word_inserted)


def npy_header(rng: np.random.Generator, raw: bytes) -> bytes:
    """Another type or shape, with the length put right."""
    if len(raw) < 10:
        return raw
    header = raw[10: 10 + int.from_bytes(raw[8:10], "little")].decode("latin-1")
    kinds = ("<f8", "|O", "<U9", "|S0", "<c16", "<M8[s]", "|V8", "|b1", ">i2", "<f2", "<f16", "|u1", "[('a','<f8')]",
             "|i9", "", "<U999999999", "f8,f8", "O")
    shapes = ("()", "(0,)", "(3, 4)", "(-1, 4)", "(10**9,)", "(1000000000, 1000000000)", "(True, 3)", "(2,)*70", "3",
              "(3.0, 4)", "(9999999999999999999999, 0)", f"({'9' * 5000}, 1)", "(" * 3000, "(12, 1)", "(1, 3, 4)",
              "(1,)" + "," * 9)
    if rng.random() < 0.5:
        header = re.sub(r"'descr': [^,]*", f"'descr': '{one(rng, kinds)}'", header)
    else:
        header = re.sub(r"'shape': \([^)]*\)", lambda _: f"'shape': {one(rng, shapes)}", header)
    text = header.encode("latin-1", "replace")
    return raw[:8] + (len(text) % 65536).to_bytes(2, "little") + text + raw[10 + int.from_bytes(raw[8:10], "little"):]


def png_chunk(rng: np.random.Generator, raw: bytes) -> bytes:
    """A field of a chunk is changed, a chunk left out, doubled or made up, with its check sum put right."""
    chunks = _chunks(raw)
    if not chunks:
        return raw
    k = int(rng.integers(len(chunks)))
    kind, data = chunks[k]
    way = int(rng.integers(5))
    if way == 0:
        chunks[k] = kind, overwritten(rng, data)
    elif way == 1:
        del chunks[k]
    elif way == 2:
        chunks.insert(k, chunks[int(rng.integers(len(chunks)))])
    elif way == 3:
        made = (b"tRNS", b"PLTE", b"zTXt", b"iTXt", b"acTL", b"fcTL", b"fdAT", b"gAMA", b"pHYs", b"iCCP", b"eXIf",
                b"tEXt", b"cHRM", b"sRGB")
        chunks.insert(k, (one(rng, made), rng.bytes(int(rng.integers(0, 40)))))
    else:
        head = bytearray(chunks[0][1].ljust(13, b"\0"))
        head[0:8] = struct.pack(">II", *(int(v) % 2**32 for v in rng.choice([0, 1, 7, 4000, 20000, 65535, 2**31], 2)))
        head[8:10] = bytes([int(rng.choice([1, 2, 4, 8, 16])), int(rng.choice([0, 2, 3, 4, 6]))])
        chunks[0] = chunks[0][0], bytes(head)
    return raw[:8] + b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d))
                              for n, d in chunks)


def _chunks(raw: bytes) -> list[tuple[bytes, bytes]]:
    found, place = [], 8
    while place + 8 <= len(raw):
        size = int.from_bytes(raw[place: place + 4], "big")
        found.append((raw[place + 4: place + 8], raw[place + 8: place + 8 + size]))
        place += 12 + size
    return found


def png_bomb(rng: np.random.Generator, raw: bytes) -> bytes:
    """Many pixels of one colour, well formed."""
    return _bomb(*(int(v) for v in rng.choice([2000, 6000, 12000], 2)))


@cache
def _bomb(W: int, H: int) -> bytes:
    data = zlib.compress(bytes(H * (W // 8 + 1)), 9)
    head = struct.pack(">IIBBBBB", W, H, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d))
                                           for n, d in ((b"IHDR", head), (b"IDAT", data), (b"IEND", b"")))


def json_changed(rng: np.random.Generator, raw: bytes) -> bytes:
    """One place of a JSON tree holds something else, or is gone."""
    try:
        tree = json.loads(raw)
    except (ValueError, RecursionError):
        return raw
    return json.dumps(_changed(rng, tree)).encode()


def _changed(rng: np.random.Generator, tree: object) -> object:
    keys = list(tree) if isinstance(tree, dict) else list(range(len(tree))) if isinstance(tree, list) else []
    if not keys or rng.random() < 0.2:
        return one(rng, JSON)
    key = one(rng, keys)
    found = dict(tree) if isinstance(tree, dict) else list(tree)  # type: ignore[call-overload]
    if rng.random() < 0.15:
        del found[key]
    elif rng.random() < 0.1 and isinstance(found, dict):
        found["x\0" if rng.random() < 0.5 else "more"] = found.pop(key)
    else:
        found[key] = _changed(rng, found[key])
    return found


def member_changed(rng: np.random.Generator, raw: bytes) -> bytes:
    """A member of a zip archive (a checkpoint is one) is made wrong and the archive written again, well formed."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except Exception:  # zipfile raises what it likes on a mutant, which is then left as it is
        return raw
    if not members:
        return raw
    name = one(rng, list(members))
    ways: tuple[Bytes, ...] = (*COMMON, npy_header, tree_changed)
    way = tree_changed if "tree" in name and rng.random() < 0.6 else one(rng, ways)
    members[name] = way(rng, members[name])
    if rng.random() < 0.1:
        del members[name]
    file = io.BytesIO()
    how = int(rng.choice(HOW, p=(0.49, 0.49, 0.01, 0.01)))  # the last two take long to begin
    with zipfile.ZipFile(file, "w", how) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def resealed(way: Bytes) -> Bytes:
    """As somebody does it who knows the fingerprint at the end of our files, and puts it right."""
    def done(rng: np.random.Generator, raw: bytes) -> bytes:
        with TemporaryDirectory() as folder:
            path = Path(folder, "a")
            path.write_bytes(way(rng, raw[:-SEALED] if raw.endswith(b" --\n") else raw))
            seal(path)
            return path.read_bytes()
    return done


def variable_changed(rng: np.random.Generator, raw: bytes) -> bytes:
    """The header of a result, or one of its arrays, is another or is gone, in a file that is whole."""
    import h5py

    with TemporaryDirectory() as folder:
        path = Path(folder, "a.nc")
        path.write_bytes(raw)
        if not sealed(path):
            return raw  # HDF5 may hang on it, here as anywhere
        path.write_bytes(raw[:-SEALED])
        try:
            with h5py.File(path, "r+") as file:
                names: list[str] = []
                file.visit(names.append)
                name = one(rng, names)
                if rng.random() < 0.6:
                    file.attrs["header"] = json_changed(rng, str(file.attrs["header"]).encode()).decode()
                elif rng.random() < 0.3:
                    del file[name]
                elif rng.random() < 0.5 and isinstance(file[name], h5py.Dataset):
                    replaced(rng, file, name)
                elif isinstance(file[name], h5py.Dataset):
                    file[name][...] = one(rng, NOT_NUMBERS)
                    file[name].attrs["units"] = "days since 2000-01-01"
        except Exception:  # HDF5, on a value that the array cannot hold
            return raw
        seal(path)
        return path.read_bytes()


def replaced(rng: np.random.Generator, file: h5py.File, name: str) -> None:
    """An array holds other numbers, or is of another type or shape."""
    values = np.asarray(file[name])
    if rng.random() < 0.5 and values.size:
        values = values.copy()
        values.flat[int(rng.integers(values.size))] = one(rng, (0, 1, -1, 5, 127, 1e-9, 1e30))
    else:
        values = one(rng, (values[..., None], values.ravel()[:1], values.astype("f4"), values.astype("i8"),
                           np.zeros(values.shape, bool), values[..., :0] if values.ndim else values + 1))
    attributes = dict(file[name].attrs)
    del file[name]
    file[name] = values
    file[name].attrs.update({k: v for k, v in attributes.items() if "DIM" not in k and "CLASS" not in k})


def tree_changed(rng: np.random.Generator, raw: bytes) -> bytes:
    """The JSON inside of a .npy of bytes."""
    start = raw.find(b"\n") + 1
    file = io.BytesIO()
    np.save(file, np.frombuffer(json_changed(rng, raw[start:]), np.uint8))
    return file.getvalue()


def packed_again(unpack: Callable[[bytes], bytes], pack: Callable[[bytes], bytes]) -> Bytes:
    """What is inside is made wrong, or is three times as much as may be held."""
    def done(rng: np.random.Generator, raw: bytes) -> bytes:
        try:
            text = unpack(raw)
        except Exception:  # as above
            return raw
        return pack(b"0" * 10**8 if rng.random() < 0.002 else one(rng, COMMON)(rng, text))
    return done


def chunk_too_long(rng: np.random.Generator, raw: bytes) -> bytes:
    """A chunk says that it is longer than it is."""
    places, at = [], 8
    for _, data in _chunks(raw):
        places.append(at)
        at += 12 + len(data)
    if not places:
        return raw
    at = one(rng, places)
    return raw[:at] + int(one(rng, (2**16, 2**30, 2**31 - 1, 2**32 - 200))).to_bytes(4, "big") + raw[at + 4:]


def table_changed(rng: np.random.Generator, raw: bytes) -> bytes:
    """A Parquet file that is whole, with other columns, types or very many rows."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    rows = 4 * 10**6 if rng.random() < 0.002 else int(rng.integers(1, 9))
    values: tuple[object, ...] = (1, -1, 2**63 - 1, 0.5, float("nan"), float("inf"), "x" * 5000, "\0", "", None,
                                  b"\xff", True, [1], {"a": 1}, datetime(1, 1, 1), Decimal("1e30"), date(9999, 1, 1))
    names = [one(rng, ("user", "item", "rating", "time", "", "x" * 5000, "\0", "\x1b[2J", "user")) for _ in range(4)]
    columns = [pa.repeat(pa.scalar(one(rng, values) if rows < 9 else 1), rows) if rows > 9 or rng.random() < 0.5 else
               pa.array(rng.integers(0, 5, rows)) for _ in range(4)]
    file = io.BytesIO()
    try:
        parquet.write_table(pa.Table.from_arrays(columns, names=names), file)
    except pa.ArrowException:  # what Parquet has no type for
        return raw
    return file.getvalue()


OWN: dict[str, tuple[Bytes, ...]] = {
    "npy": (npy_header,), "png": (png_chunk, png_chunk, chunk_too_long, png_bomb),
    "uai": (number_replaced, word_inserted), "fg": (number_replaced, word_inserted),
    "mar": (number_replaced, word_inserted), "csv": (number_replaced, removed),
    "ckpt": (member_changed, resealed(member_changed), resealed(member_changed)),
    "journal": (member_changed, resealed(member_changed), resealed(member_changed)),
    "nc": (variable_changed,), "zip": (member_changed,), "runjson": (json_changed,), "sweepjson": (json_changed,),
    "gz": (packed_again(gzip.decompress, partial(gzip.compress, mtime=0)),), "parquet": (table_changed,),
    "bz2": (packed_again(bz2.decompress, bz2.compress),), "xz": (packed_again(lzma.decompress, lzma.compress),),
    "wide": (number_replaced, removed), "mtx": (number_replaced, removed),
    "uaigz": (packed_again(gzip.decompress, partial(gzip.compress, mtime=0)),),
    "evid": (number_replaced, word_inserted), **dict.fromkeys(("mask", "clamp", "truth", "unary"), (npy_header,)),
    **dict.fromkeys(("maskpng", "clamppng", "upload"), (png_chunk, chunk_too_long, png_bomb)),
    "fit": (variable_changed,), "page": (json_changed,), "cached": (member_changed,),
    **dict.fromkeys(("pairs", "users", "newusers", "side", "words"), (number_replaced, removed)),
}
