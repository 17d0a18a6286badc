"""Label images: read from .npy and PNG, written back, or drawn by our own code.

Everywhere an image is an indicator table (H, W, K) of 0 and 1, one plane per label. A pixel with
no label set is unobserved; one with two labels set may be either.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

import room
from arrays import read_npy
from data.builtin_images import BUILTIN, builtin, clean
from data.colours import PALETTE, Colour, filled
from data.pictures import Picture, write_array
from data.png import MAX_GUESSED, read_png, write_png
from errors import InputError, unknown
from models.model import stream

__all__ = ["BUILTIN", "PALETTE", "Picture", "builtin", "clean", "load_image", "load_picture", "read_image",
           "read_picture", "write_image"]

Read = TypeVar("Read")

ZIP = b"PK\x03\x04"  # with which an archive of several arrays begins


def load_image(
    name_or_path: str | Path, labels: int | None = None, palette: Sequence[Colour] | None = None, seed: int = 0
) -> Float64[Tensor, "H W K"]:
    """A built-in image by its name, drawn from `seed`, or an image file; see `read_image`.

    >>> load_image("small").argmax(-1).tolist()
    [[0, 0, 0], [0, 0, 0], [1, 1, 1]]
    """
    return load_picture(name_or_path, labels, palette, seed).image


def load_picture(
    name_or_path: str | Path, labels: int | None = None, palette: Sequence[Colour] | None = None, seed: int = 0
) -> Picture:
    """As `load_image`, with the colours of the labels and what else a picture of it needs."""
    name = str(name_or_path)
    if name in BUILTIN:
        if palette is not None:
            raise InputError(f"a palette is for PNG files; the built-in image '{name}' has no colours")
        return Picture(_with_labels(builtin(name, stream(seed)), labels))
    if not (Path(name).suffix or os.sep in name or Path(name).exists()):
        raise unknown("image", name, BUILTIN)
    return read_picture(Path(name_or_path), labels, palette)


def read_image(
    path: str | Path, labels: int | None = None, palette: Sequence[Colour] | None = None
) -> Float64[Tensor, "H W K"]:
    """The indicators of an image file. `labels` is K; where it is not given the file decides.

    .npy   (H, W) integer labels, -1 where unobserved; or (H, W, K) indicators
    PNG    every pixel takes the label of the nearest colour of `palette` ('#rrggbb', names or triples,
           in label order); without `palette` the image's own colours are the labels, from dark to
           light, if there are no more than K of them, and K that stand for them by k-means if there are more and
           `labels` is given. Transparent pixels are unobserved. Other formats that Pillow reads go as PNG does.
    """
    return read_picture(Path(path), labels, palette).image


def named(path: Path, read: Callable[[], Read]) -> Read:
    """What is wrong with a file is said with its name."""
    if not path.is_file():
        raise InputError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
    try:
        return read()
    except InputError as e:
        raise InputError(f"{path}: {e}") from None


def read_picture(path: Path, labels: int | None = None, palette: Sequence[Colour] | None = None) -> Picture:
    """As `read_image`, with the colours of the labels."""
    return named(path, lambda: _picture(path, labels, palette))


def _picture(path: Path, labels: int | None, palette: Sequence[Colour] | None) -> Picture:
    if labels is not None:
        _check_number(labels)
    if path.suffix.lower() in (".uai", ".fg"):
        raise InputError("holds a grid model, not an image; read it with data.grid_files.read_grid")
    if path.suffix.lower() == ".npy":
        if palette is not None:
            raise InputError("a palette is for PNG files; a .npy file holds labels, not colours")
        return Picture(_with_labels(_indicator(read_array(path), labels), labels))
    found = read_png(path, labels, palette)
    image = _with_labels(_indicator(found.labels, len(found.palette)), labels)
    return Picture(image, filled(found.palette, image.shape[2]), found.quantised,
                   transparent=int((found.labels < 0).sum()))


def write_image(path: str | Path, image: Tensor, labels: int | None = None, palette: Sequence[str] = ()) -> None:
    """Write integer labels (H, W), -1 where unobserved, or indicators (H, W, K), to .npy or .png.

    A PNG has the colours of `palette`, else `PALETTE` and then others, is transparent where unobserved and holds one
    label a pixel.
    What is written reads back as the same image. `labels` is the K that a PNG is to remember of a
    label image; a label image in .npy does not know its K.
    """
    path, array = Path(path), image.detach().cpu().numpy()
    kind = path.suffix.lower()
    if kind not in (".npy", ".png"):
        raise InputError(f"{path}: an image is written as .npy or .png")
    indicator = _indicator(array, labels)
    indicator = _with_labels(indicator, labels or max(2, indicator.shape[2]))
    count = indicator.sum(-1)
    try:
        if kind == ".npy":
            write_array(path, array)
        elif bool((count > 1).any()):
            raise InputError(f"{path}: a PNG holds one label a pixel, but {int((count > 1).sum())} pixels "
                             f"have several; write .npy instead")
        else:
            write_png(path, torch.where(count > 0, indicator.argmax(-1), -1).numpy(),
                      filled(palette, indicator.shape[2]))
    except OSError as e:
        raise InputError(f"{path}: cannot be written: {e.strerror}") from None


def read_array(path: Path) -> np.ndarray:
    """What a .npy file holds, whatever it claims. Errors: InputError."""
    with open(path, "rb") as file:
        if file.read(len(ZIP)) == ZIP:
            raise InputError("holds several arrays; save the label image alone, as .npy")
        file.seek(0)
        return read_npy(file, path.stat().st_size)


def _indicator(array: np.ndarray, labels: int | None) -> Float64[Tensor, "H W K"]:
    """Indicators from labels (H, W) or indicators (H, W, K), whatever their number type; or what is wrong."""
    if array.ndim not in (2, 3) or array.dtype.kind not in "biuf":
        raise InputError(f"an image is (H, W) integer labels or (H, W, K) indicators of 0 and 1, "
                         f"not {array.dtype} of shape {array.shape}")
    if array.size == 0:
        raise InputError(f"the image is empty: its shape is {array.shape}")
    if not np.isfinite(array).all():
        raise InputError("holds NaN or infinity; unobserved pixels are -1 in a label image, no label set in indicators")
    low, high = array.min().item(), array.max().item()
    if array.ndim == 3:
        if not ((array == 0) | (array == 1)).all():
            raise InputError(f"(H, W, K) indicators must be 0 or 1, one plane per label; "
                             f"shape {array.shape} holds values from {low:.6g} to {high:.6g}")
        return torch.from_numpy(array.astype(np.float64))
    if array.dtype.kind == "f" and (array != np.floor(array)).any():
        raise InputError("labels must be whole numbers")
    if labels is None and high >= MAX_GUESSED:
        raise InputError(f"has a label {high:.15g}; if there really are {high + 1:.15g} labels or more, say how many "
                         f"(--labels {high + 1:.15g})")
    K = int(high) + 1 if labels is None else labels
    if low < -1 or high >= K:
        raise InputError(f"labels must be from 0 to {K - 1}, or -1 where unobserved, but go from {low:.6g} to "
                         f"{high:.6g}")
    _check_room(array.shape[0], array.shape[1], K)
    planes = torch.zeros(*array.shape, K, dtype=torch.float64)
    for label in range(K):
        planes[..., label] = torch.from_numpy(array == label)
    return planes


def _with_labels(image: Float64[Tensor, "H W K"], labels: int | None) -> Float64[Tensor, "H W K"]:
    """The same image with K = `labels`: planes are added, or dropped where no pixel has them."""
    K = image.shape[2]
    labels = K if labels is None else labels
    _check_number(labels)
    if bool(image[..., labels:].any()):
        raise InputError(f"labels must be from 0 to {labels - 1}, but some pixels have label "
                         f"{int(image.any(0).any(0).nonzero().max())}")
    if labels == K:
        return image
    H, W, _ = image.shape
    _check_room(H, W, labels)
    return torch.nn.functional.pad(image, (0, max(labels - K, 0)))[..., :labels].contiguous()


def _check_room(H: int, W: int, K: int) -> None:
    """Errors: InputError where the planes and the evidence of them do not fit, with how many labels or pixels would."""
    many = (K, "labels") if K > MAX_GUESSED else (H * W, "pixels")
    room.refuse_beyond(f"an image of {W} x {H} pixels and {K:,} labels", 16 * H * W * K, *many)


def _check_number(labels: int) -> None:
    if labels < 2:
        raise InputError(f"an image needs at least 2 labels, not {labels}; give their number (--labels 2)")
