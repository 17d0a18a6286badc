"""Image files: PNG and other formats that Pillow opens, their colours to labels and back.

Transparent pixels (alpha below one half) are unobserved, label -1.
"""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt32
from PIL import Image, PngImagePlugin, UnidentifiedImageError

import room
from data import colours
from data.colours import PALETTE, Colour
from errors import InputError, short
from files import whole

logging.getLogger("PIL").addHandler(logging.NullHandler())  # what is wrong with a file is said once, by us

MAX_GUESSED = 16  # labels: an image that seems to hold more is rather none, so K or the palette must be given
SIGNATURE = b"\x89PNG\r\n\x1a\n"
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
PER_PIXEL, PER_LABEL = 40, 8  # bytes of memory that reading takes
BYTES = 10**8  # that a file of any size may take
DENSE = 64  # bytes that one of a file may stand for, where they are more than that: noise has fewer, a bomb 1,000
MOST_COLOURS = 255  # and one for what is transparent
MARK = "Crosscheck labels"  # the text field by which our own files tell their K, and their colours if not PALETTE


@dataclass(frozen=True, eq=False)
class Coloured:
    """An image file's labels, and where they come from."""

    labels: Int64[np.ndarray, "H W"]  # -1 where it is transparent
    palette: tuple[str, ...]  # the colour of every label
    quantised: int = 0  # how many colours it has, where k-means made labels of them


def read_png(path: Path, labels: int | None, palette: Sequence[Colour] | None) -> Coloured:
    """The labels of an image file: the nearest of K colours at every pixel.

    The colours are `palette`; or those of the image itself, from dark to light, if they are at most K; or K that stand
    for them, where K is given.
    """
    pixels, own, bands = opened(path)
    code = pixels.astype(">u4", copy=False)
    observed = code & 255 >= 128
    seen = np.unique(code[observed] >> 8)
    table, reduced = colours.table(palette if palette is not None else own or ("black", "white")), False
    if palette is not None and labels not in (None, len(table)):
        raise InputError(f"the palette has {len(table)} colours, but {labels} labels are asked for")
    if palette is None and own is None:
        reduced = labels is not None and len(seen) > labels >= 2
        table = colours.quantised(code[observed] >> 8, labels) if reduced and labels else _own_colours(seen, labels)
    _check_size(pixels.shape, bands, path.stat().st_size, len(table))
    image = np.full(code.shape, -1)
    if len(seen):
        image[observed] = colours.nearest(seen, table)[np.searchsorted(seen, code[observed] >> 8)]
    return Coloured(image, colours.written(table), len(seen) if reduced else 0)


def write_png(path: Path, labels: Int64[np.ndarray, "H W"], palette: Sequence[str]) -> None:
    """Write labels, or -1 for transparent, in the colours of `palette`, which a text field remembers."""
    K = len(palette)
    if K > MOST_COLOURS:
        raise InputError(f"{path}: a PNG has colours for {MOST_COLOURS} labels, not for {K}; write .npy instead")
    picture = Image.fromarray(np.where(labels < 0, K, labels).astype(np.uint8))
    picture.putpalette([*colours.table(palette).reshape(-1).tolist(), 255, 255, 255])
    text = PngImagePlugin.PngInfo()
    text.add_text(MARK, " ".join(map(str, [K, *([] if _ours(palette) else palette)])))
    with whole(path) as aside:
        picture.save(aside, format="PNG", pnginfo=text, transparency=K)


def _ours(palette: Sequence[str]) -> bool:
    return [colour.lower() for colour in palette] == [colour.lower() for colour in PALETTE[:len(palette)]]


def _remembered(mark: str) -> tuple[str, ...] | None:
    """The palette of a file of ours, by its text field: K, and the colours where they are not ours."""
    count, *own = mark.split() or [""]
    if own and count == str(len(own)) and all(re.fullmatch("#[0-9a-f]{6}", c) for c in own) and len(set(own)) > 1:
        return tuple(own) if len(set(own)) == len(own) else None
    return PALETTE[:int(count)] if not own and count in map(str, range(2, len(PALETTE) + 1)) else None


def opened(path: Path) -> tuple[UInt32[np.ndarray, "H W"], tuple[str, ...] | None, float]:
    """0xRRGGBBAA; the palette where the file is our own; and how many bytes a pixel has in it, unpacked."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _check_chunks(path)
            with Image.open(path, formats=FORMATS) as file:
                bands = 1 / 8 if file.mode == "1" else len(file.getbands())
                _check_size((file.height, file.width), bands, path.stat().st_size)
                pixels, mark = _pixels(file), str(file.info.get(MARK, ""))
    except (InputError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise InputError(f"is not an image that can be read; expected .npy or {', '.join(FORMATS)}") from None
    except Exception as e:  # Pillow's readers, which say nowhere what they raise for a damaged file
        raise InputError(f"cannot be read as an image: {short(e, 120)}") from None
    return pixels, _remembered(mark), bands


def _check_chunks(path: Path) -> None:
    """Errors: InputError for a chunk that says it is longer than the file; Pillow makes room for what it says."""
    left = path.stat().st_size - len(SIGNATURE)
    with open(path, "rb") as file:
        if file.read(len(SIGNATURE)) != SIGNATURE:
            return
        while len(head := file.read(8)) == 8 and head[4:] != b"IEND":
            length, left = int.from_bytes(head[:4], "big"), left - 12
            if length > max(left, 0):
                raise InputError(f"cannot be read as an image: a part of it says that it has {length} bytes, and "
                                 f"{max(left, 0)} follow: it is damaged or cut short")
            left -= length
            file.seek(length + 4, os.SEEK_CUR)


def _pixels(picture: Image.Image) -> UInt32[np.ndarray, "H W"]:
    """0xRRGGBBAA."""
    if picture.mode.startswith("I"):  # 16-bit grey, which Pillow would clip at 255
        grey = np.asarray(picture) >> 8
        picture = Image.fromarray(grey.clip(0, 255).astype(np.uint8))
    return np.asarray(picture.convert("RGBA")).view(">u4")[..., 0]


def _check_size(shape: tuple[int, ...], bands: float, size: int, labels: int = 0) -> None:
    """Errors: InputError, before anything is decoded, for a header whose pixels so small a file cannot hold, or holds
    only if it was made to fill the memory; and for more than is free."""
    H, W = shape
    takes = (PER_PIXEL + PER_LABEL * labels) * W * H
    if bands * W * H > DENSE * size and takes > BYTES + 4 * size:
        raise InputError(f"says that it has {W} x {H} pixels, in a file of {size} bytes: give so large an image as "
                         f".npy")
    room.refuse_beyond(f"an image of {W} x {H} pixels", takes, W * H, "pixels")


def _own_colours(seen: UInt32[np.ndarray, "n"], asked: int | None) -> Int64[np.ndarray, "n 3"]:
    """The image's own colours from dark to light, if they are few enough to be labels, or no more than asked for."""
    if len(seen) > max(MAX_GUESSED, asked or 0):
        raise InputError(f"has {len(seen)} colours, more than the {MAX_GUESSED} that are taken for labels unasked; say "
                         f"how many labels to make of them (--labels 8), or which colours the labels have "
                         f"(--palette '#000000' '#ffffff'), and every pixel takes the nearest one")
    return colours.by_lightness(colours.parts(seen))
