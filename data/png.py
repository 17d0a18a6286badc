"""Colours to labels and back: PNG and whatever else Pillow opens.

Transparent pixels (alpha below one half) are unobserved, label -1.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8
from PIL import Image, ImageColor, PngImagePlugin, UnidentifiedImageError

from errors import InputError
from files import whole

Colour = str | tuple[int, int, int]

# Okabe and Ito's colours, told apart by every kind of vision, with grey in place of their black
# (Color Universal Design, 2008, https://jfly.uni-koeln.de/color/).
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")
MAX_GUESSED = 16  # labels: an image that seems to hold more is rather none, so K or the palette must be given
MARK = "Crosscheck labels"  # the text field by which our own files tell their K and that PALETTE is theirs


def read_png(path: Path, labels: int | None, palette: Sequence[Colour] | None) -> tuple[Int64[np.ndarray, "H W"], int]:
    """The labels (H, W) of an image file and their number K: the nearest of K colours at every pixel.

    The colours are `palette`, or those of the image itself, from dark to light, if they are at most K.
    """
    pixels, own_labels = _open(path)
    code = pixels[..., :3].astype(np.int64) @ (1 << 16, 1 << 8, 1)
    observed = pixels[..., 3] >= 128
    codes, index = np.unique(code[observed], return_inverse=True)
    seen = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], -1)
    if palette is not None:
        colours = _colours(palette)
        if labels not in (None, len(colours)):
            raise InputError(f"the palette has {len(colours)} colours, but {labels} labels are asked for")
    elif own_labels is not None:
        colours = _colours(PALETTE[:own_labels])
    else:
        colours = _own_colours(seen, labels)
    image = np.full(code.shape, -1)
    if len(seen):
        image[observed] = ((seen[:, None] - colours) ** 2).sum(-1).argmin(1)[index]
    return image, len(colours)


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


def _open(path: Path) -> tuple[UInt8[np.ndarray, "H W 4"], int | None]:
    """Red, green, blue, alpha; and K where the file is our own."""
    try:
        with warnings.catch_warnings(), Image.open(path) as file:
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            file.load()
            mark = str(file.info.get(MARK, ""))
            picture: Image.Image = file
            if picture.mode.startswith("I"):  # 16-bit grey, which Pillow would clip at 255
                grey = np.asarray(picture).astype(np.int64) >> 8
                picture = Image.fromarray(grey.clip(0, 255).astype(np.uint8))
            pixels = np.asarray(picture.convert("RGBA"))
    except UnidentifiedImageError:
        raise InputError("is not an image that can be read; expected .npy or PNG") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as e:
        raise InputError(f"cannot be read as an image: {e}") from None
    own = int(mark) if mark.isdecimal() and 2 <= int(mark) <= len(PALETTE) else None
    return pixels, own


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


def _own_colours(seen: Int64[np.ndarray, "n 3"], labels: int | None) -> Int64[np.ndarray, "n 3"]:
    """The image's own colours from dark to light, if they are few enough to be labels."""
    if len(seen) > (labels or MAX_GUESSED):
        limit = f"{labels} labels" if labels else f"the {MAX_GUESSED} that are taken for labels unasked"
        raise InputError(f"has {len(seen)} colours, more than {limit}; say which colours the labels have "
                         f"(--palette '#000000' '#ffffff') and every pixel takes the nearest one")
    luminance = seen @ (299, 587, 114)
    return seen[np.argsort(luminance, kind="stable")]
