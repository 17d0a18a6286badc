"""Colours as labels: palettes that are given, an image's own, and few colours for many by k-means."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Int64, UInt32
from PIL import Image, ImageColor
from scipy.cluster.vq import kmeans2

from errors import InputError

Colour = str | tuple[int, int, int]
Table = Int64[np.ndarray, "K 3"]

# Okabe and Ito's colours, told apart by every kind of vision, with grey in place of their black
# (Color Universal Design, 2008, https://jfly.uni-koeln.de/color/).
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")
SAMPLE = 100_000  # pixels that k-means looks at
LIGHTNESS = (299, 587, 114)  # of red, green and blue (ITU-R BT.601)


def parts(code: UInt32[np.ndarray, "n"]) -> Int64[np.ndarray, "n 3"]:
    """Red, green and blue of 0xRRGGBB."""
    return np.stack([code >> 16, code >> 8 & 255, code & 255], -1).astype(np.int64)


def table(palette: Sequence[Colour]) -> Table:
    """Red, green and blue of colours given as '#rrggbb', by name or as triples."""
    rgb = []
    for colour in palette:
        try:
            rgb.append(ImageColor.getrgb(colour)[:3] if isinstance(colour, str) else colour)
        except ValueError:
            raise InputError(f"'{colour}' is not a colour; give '#rrggbb' or a name such as 'red'") from None
    found = np.array(rgb, dtype=np.int64).reshape(len(rgb), -1)
    if len(rgb) < 2 or found.shape[1] != 3 or found.min() < 0 or found.max() > 255:
        raise InputError(f"a palette is at least 2 colours of red, green and blue from 0 to 255, not {list(palette)}")
    if len(np.unique(found, axis=0)) < len(found):
        raise InputError(f"the palette {list(palette)} has the same colour twice")
    return found


def written(colours: Table) -> tuple[str, ...]:
    """As '#rrggbb'.

    >>> written(np.array([[0, 114, 178]]))
    ('#0072b2',)
    """
    return tuple(f"#{r:02x}{g:02x}{b:02x}" for r, g, b in colours.tolist())


def by_lightness(colours: Table) -> Table:
    """From dark to light."""
    return colours[np.argsort(colours @ LIGHTNESS, kind="stable")]


def nearest(seen: UInt32[np.ndarray, "n"], colours: Table) -> Int64[np.ndarray, "n"]:
    """Which of the colours is nearest to each that was seen, 0xRRGGBB; the first of several."""
    found = np.zeros(len(seen), dtype=np.int64)
    least = np.full(len(seen), np.iinfo(np.int64).max)
    rgb = parts(seen)
    for k, colour in enumerate(colours):
        distance = ((rgb - colour) ** 2).sum(-1)
        found[distance < least] = k
        least = np.minimum(least, distance)
    return found


def quantised(pixels: UInt32[np.ndarray, "n"], K: int) -> Table:
    """At most K colours for the many of `pixels`, 0xRRGGBB, from dark to light, the same for the same image.

    k-means in red, green and blue (scipy's `kmeans2`) from the colours of Pillow's median cut; of large images every
    so manyth pixel is looked at.
    """
    rgb = parts(pixels[:: max(len(pixels) // SAMPLE, 1)])
    start = Image.fromarray(rgb[None].astype(np.uint8)).quantize(min(K, 256)).getpalette() or []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a colour that no pixel is nearest to stays where it is
        means, _ = kmeans2(rgb.astype(float), np.array(start, dtype=float).reshape(-1, 3)[:K], iter=30, minit="matrix")
    return by_lightness(np.unique(means.round().astype(np.int64).clip(0, 255), axis=0))


def filled(palette: Sequence[str], K: int) -> tuple[str, ...]:
    """K colours: those given, then others, so that every label has one.

    >>> filled(["#ffffff"], 3)
    ('#ffffff', '#0072b2', '#e69f00')
    """
    found = list(palette)
    spare = _spare()
    while len(found) < K:
        found += [colour] if (colour := next(spare)) not in found else []
    return tuple(found[:K])


def _spare() -> Iterator[str]:
    """Colours without end: ours, greys, and then whatever a golden step through all of them meets."""
    yield from (colour.lower() for colour in PALETTE)
    yield from (f"#{grey:02x}{grey:02x}{grey:02x}" for grey in range(16, 256, 16))
    yield from (f"#{k * 10368889 % 2**24:06x}" for k in range(2**24))
