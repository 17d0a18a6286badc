"""Colours to labels and back: PNG and other formats that Pillow opens.

Transparent pixels (alpha below one half) are unobserved, label -1.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt32
from PIL import Image, ImageColor, PngImagePlugin, UnidentifiedImageError

from errors import InputError, short
from files import whole

logging.getLogger("PIL").addHandler(logging.NullHandler())  # what is wrong with a file is said once, by us

Colour = str | tuple[int, int, int]

# Okabe and Ito's colours, told apart by every kind of vision, with grey in place of their black
# (Color Universal Design, 2008, https://jfly.uni-koeln.de/color/).
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")
MAX_GUESSED = 16  # labels: an image that seems to hold more is rather none, so K or the palette must be given
SIGNATURE = b"\x89PNG\r\n\x1a\n"
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
PER_PIXEL, PER_LABEL = 40, 8  # bytes of memory that reading takes
BYTES = 10**8  # that a file of any size may take
DENSE = 64  # bytes that one of a file may stand for, where they are more than that: noise has fewer, a bomb 1,000
MARK = "Crosscheck labels"  # the text field by which our own files tell their K and that PALETTE is theirs


def read_png(path: Path, labels: int | None, palette: Sequence[Colour] | None) -> tuple[Int64[np.ndarray, "H W"], int]:
    """The labels (H, W) of an image file and their number K: the nearest of K colours at every pixel.

    The colours are `palette`, or those of the image itself, from dark to light, if they are at most K.
    """
    pixels, own_labels, bands = _open(path)
    code = pixels.astype(">u4", copy=False)
    observed = code & 255 >= 128
    seen = np.unique(code[observed] >> 8)
    if palette is not None:
        colours = _colours(palette)
        if labels not in (None, len(colours)):
            raise InputError(f"the palette has {len(colours)} colours, but {labels} labels are asked for")
    elif own_labels is not None:
        colours = _colours(PALETTE[:own_labels])
    else:
        colours = _own_colours(seen, labels)
    _check_size(pixels.shape, bands, path.stat().st_size, len(colours))
    image = np.full(code.shape, -1)
    if len(seen):
        image[observed] = _nearest(seen, colours)[np.searchsorted(seen, code[observed] >> 8)]
    return image, len(colours)


def _nearest(seen: UInt32[np.ndarray, "n"], colours: Int64[np.ndarray, "K 3"]) -> Int64[np.ndarray, "n"]:
    """Which of the colours is nearest to each that was seen, 0xRRGGBB; the first of several."""
    nearest = np.zeros(len(seen), dtype=np.int64)
    least = np.full(len(seen), np.iinfo(np.int64).max)
    parts = _parts(seen)
    for k, colour in enumerate(colours):
        distance = ((parts - colour) ** 2).sum(-1)
        nearest[distance < least] = k
        least = np.minimum(least, distance)
    return nearest


def _parts(code: UInt32[np.ndarray, "n"]) -> Int64[np.ndarray, "n 3"]:
    """Red, green and blue of 0xRRGGBB."""
    return np.stack([code >> 16, code >> 8 & 255, code & 255], -1).astype(np.int64)


def write_png(path: Path, labels: Int64[np.ndarray, "H W"], K: int) -> None:
    """Write labels below K, or -1, in the colours of `PALETTE`, with K in a text field."""
    if len(PALETTE) < K:
        raise InputError(f"{path}: there are colours for {len(PALETTE)} labels in a PNG, not for {K}; "
                         f"write .npy instead")
    picture = Image.fromarray(np.where(labels < 0, K, labels).astype(np.uint8))
    picture.putpalette([*_colours(PALETTE[:K]).reshape(-1).tolist(), 255, 255, 255])
    text = PngImagePlugin.PngInfo()
    text.add_text(MARK, str(K))
    with whole(path) as aside:
        picture.save(aside, format="PNG", pnginfo=text, transparency=K)


def _open(path: Path) -> tuple[UInt32[np.ndarray, "H W"], int | None, float]:
    """0xRRGGBBAA; K where the file is our own; and how many bytes a pixel has in it, unpacked."""
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
    return pixels, int(mark) if mark in map(str, range(2, len(PALETTE) + 1)) else None, bands


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
    only if it was made to fill the memory."""
    H, W = shape
    takes = (PER_PIXEL + PER_LABEL * labels) * W * H
    if bands * W * H > DENSE * size and takes > BYTES + 4 * size:
        raise InputError(f"says that it has {W} x {H} pixels, in a file of {size} bytes: give so large an image as "
                         f".npy")


def _colours(palette: Sequence[Colour]) -> Int64[np.ndarray, "K 3"]:
    """Red, green and blue of colours given as '#rrggbb', by name or as triples."""
    rgb = []
    for colour in palette:
        try:
            rgb.append(ImageColor.getrgb(colour)[:3] if isinstance(colour, str) else colour)
        except ValueError:
            raise InputError(f"'{colour}' is not a colour; give '#rrggbb' or a name such as 'red'") from None
    table = np.array(rgb, dtype=np.int64).reshape(len(rgb), -1)
    if len(rgb) < 2 or table.shape[1] != 3 or table.min() < 0 or table.max() > 255:
        raise InputError(f"a palette is at least 2 colours of red, green and blue from 0 to 255, not {list(palette)}")
    if len(np.unique(table, axis=0)) < len(table):
        raise InputError(f"the palette {list(palette)} has the same colour twice")
    return table


def _own_colours(seen: UInt32[np.ndarray, "n"], labels: int | None) -> Int64[np.ndarray, "n 3"]:
    """The image's own colours from dark to light, if they are few enough to be labels."""
    if len(seen) > (labels or MAX_GUESSED):
        limit = f"{labels} labels" if labels else f"the {MAX_GUESSED} that are taken for labels unasked"
        raise InputError(f"has {len(seen)} colours, more than {limit}; say which colours the labels have "
                         f"(--palette '#000000' '#ffffff') and every pixel takes the nearest one")
    parts = _parts(seen)
    return parts[np.argsort(parts @ (299, 587, 114), kind="stable")]
