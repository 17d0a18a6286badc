"""Files that go with an image: its truth, a mask, pixels known for certain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from data.images import Picture, named, read_array, read_picture
from data.png import opened
from errors import InputError


def read_labels(path: str | Path, like: Picture) -> Int64[np.ndarray, "H W"]:
    """The labels of an image file of another's size, -1 where there are none; a PNG takes the nearest of its colours.

    Errors: InputError for another size.
    """
    path, K = Path(path), like.image.shape[2]
    own = like.colours if like.palette and path.suffix.lower() != ".npy" else None
    image = read_picture(path, K, own).image
    if image.shape != like.image.shape:
        raise InputError(f"{path}: has {' x '.join(map(str, image.shape[:2]))} pixels, but the image "
                         f"{' x '.join(map(str, like.image.shape[:2]))}")
    return torch.where(image.sum(-1) == 1, image.argmax(-1), -1).numpy()


def read_mask(path: str | Path) -> Bool[Tensor, "H W"]:
    """Which pixels a mask sets: 1 in a .npy of 0 and 1; in an image file what is lighter than half, and opaque."""
    path = Path(path)
    return named(path, lambda: torch.from_numpy(_ones(path) if path.suffix.lower() == ".npy" else _light(path)))


def _ones(path: Path) -> Bool[np.ndarray, "H W"]:
    array = read_array(path)
    if array.ndim != 2 or array.dtype.kind not in "biuf" or not ((array == 0) | (array == 1)).all():
        raise InputError(f"a mask is (H, W) of 0 and 1, 1 where nothing is to be known, not {array.dtype} of shape "
                         f"{array.shape}")
    return np.asarray(array == 1)


def _light(path: Path) -> Bool[np.ndarray, "H W"]:
    code = opened(path)[0].astype(np.int64)
    sums = (code >> 24) + (code >> 16 & 255) + (code >> 8 & 255)
    return np.asarray((sums > 3 * 127) & (code & 255 >= 128))
