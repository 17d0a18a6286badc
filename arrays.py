"""Arrays of numbers in NumPy's own format, read so that no header can ask for more than its file holds.

Source: numpy/lib/format.py: magic, version, length of the header, a Python literal, the numbers.
"""

from __future__ import annotations

import math
import re
from typing import BinaryIO

import numpy as np

from errors import InputError, short

MAGIC = b"\x93NUMPY"
LONGEST = 10_000  # bytes of a header, as NumPy has it
DESCR = re.compile(r"'descr':\s*'([<>|=]?[?biufc]\d{0,2})'")
ORDER = re.compile(r"'fortran_order':\s*(True|False)")
SHAPE = re.compile(r"'shape':\s*\(((?:\d{1,15}\s*(?:,\s*|(?=\)))){0,32})\)")


def read_npy(file: BinaryIO, size: int) -> np.ndarray:
    """The array of a .npy file that has `size` bytes, in this machine's byte order. Errors: InputError for one that is
    not numbers, has an unusual header, or is cut short: then nothing was allocated for it."""
    kind, shape, fortran, start = _header(file.read(min(size, LONGEST + 12)))
    wanted = math.prod(shape) * kind.itemsize
    if wanted > size - start:
        raise InputError(f"is cut short: its header says {_dims(shape)} numbers of {kind}, {wanted} bytes, and "
                         f"{size - start} follow")
    file.seek(start)
    array = np.empty(math.prod(shape), kind)
    if file.readinto(array.view(np.uint8)) != wanted:  # type: ignore[attr-defined]
        raise InputError("is cut short: it has become shorter while it was read")
    native = array if kind.isnative else array.byteswap(inplace=True).view(kind.newbyteorder())
    return native.reshape(shape, order="F" if fortran else "C")


def _header(raw: bytes) -> tuple[np.dtype, tuple[int, ...], bool, int]:
    """The type of the numbers, the shape, whether it is in Fortran's order, and where the numbers begin."""
    wide = 2 if raw[6:7] == b"\x01" else 4
    length = int.from_bytes(raw[8: 8 + wide], "little")
    if not raw.startswith(MAGIC) or raw[6:7] not in (b"\x01", b"\x02", b"\x03") or len(raw) < 8 + wide:
        raise InputError("is not a .npy array of numbers, or is cut short")
    if length > LONGEST or 8 + wide + length > len(raw):
        raise InputError(f"is not a .npy array of numbers, or is cut short: its header of {length} bytes is not there")
    text = raw[8 + wide: 8 + wide + length].decode("latin-1")
    descr, order, shape = DESCR.search(text), ORDER.search(text), SHAPE.search(text)
    if not (descr and order and shape):
        raise InputError(f"is not a .npy array of numbers: its header is {short(text)}")
    try:
        kind = np.dtype(descr[1])
    except TypeError:
        raise InputError(f"is not a .npy array of numbers: NumPy has no type '{descr[1]}'") from None
    dims = tuple(int(word) for word in re.findall(r"\d+", shape[1]))
    if math.prod(d for d in dims if d) >= 2**50:
        raise InputError(f"is no array that fits anywhere: {_dims(dims)} numbers of {kind}")
    if kind.itemsize > 8 and kind.kind == "f":
        raise InputError(f"is an array of {kind}: save it as float64")
    return kind, dims, order[1] == "True", 8 + wide + length


def _dims(shape: tuple[int, ...]) -> str:
    return short(" x ".join(map(str, shape)) or "1")
