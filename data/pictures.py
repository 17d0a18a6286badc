"""An image with what a picture of it needs: the colours of its labels, what nothing is known of, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from data import colours, png
from errors import InputError
from files import whole


@dataclass(frozen=True, eq=False)
class Picture:
    """Indicators, and where they come from."""

    image: Float64[Tensor, "H W K"]
    palette: tuple[str, ...] = ()  # '#rrggbb' of every label; none of an image that has no colours of its own
    quantised: int = 0  # how many colours it had, where k-means made K labels of them
    transparent: int = 0  # pixels, in a file with colours
    masked: int = 0  # pixels that were known until they were masked

    @property
    def colours(self) -> tuple[str, ...]:
        """One of every label, whether the image has colours or not."""
        return colours.filled(self.palette, self.image.shape[2])

    def without(self, mask: Bool[Tensor, "H W"]) -> Picture:
        """The same with nothing known where the mask is set."""
        H, W, _ = self.image.shape
        if mask.shape != (H, W):
            raise InputError(f"the mask has {' x '.join(map(str, mask.shape))} pixels, the image {H} x {W}")
        masked = int((mask & self.image.any(-1)).sum())
        if not masked:
            raise InputError("the mask changes nothing: no pixel that is known is set in it (white, or 1)")
        return replace(self, image=torch.where(mask[..., None], 0.0, self.image), masked=masked)

    def said(self) -> list[str]:
        """What was made of the image, in words."""
        pixels, K = self.image.shape[0] * self.image.shape[1], self.image.shape[2]
        found = []
        if self.quantised:
            found.append(f"Its {self.quantised} colours have become {K} labels by k-means, 0 the darkest: "
                         f"{' '.join(self.palette)}.")
        if unknown := int((~self.image.any(-1)).sum()):
            why = [f"{n} are {what}" for n, what in ((self.transparent, "transparent"), (self.masked, "masked")) if n]
            found.append(f"Nothing is observed of {unknown} of {pixels} pixels ({100 * unknown / pixels:.3g}%)"
                         + (f": {', '.join(why)}" if why else "") + "; they take what their neighbours say.")
        return found


def write_labels(path: Path, labels: Int64[np.ndarray, "H W"], palette: tuple[str, ...]) -> None:
    """Labels as a PNG in the colours of the palette, -1 transparent. Errors: InputError for more labels than fit."""
    png.write_png(path, labels, palette)


def write_array(path: Path, array: np.ndarray) -> None:
    """An array as .npy."""
    with whole(path) as aside, open(aside, "wb") as file:
        np.save(file, array)
