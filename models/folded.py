"""Grids whose borders are joined, folded into grids with borders that every method can infer.

On a torus pixel (i, W-1) has (i, 0) to its right, and (H-1, j) has (0, j) below. Fold it twice, as a sheet:

    cell (a, b) holds the pixels (a, b), (a, W-1-b), (H-1-a, b) and (H-1-a, W-1-b)

Neighbours on the torus are then in one cell or in neighbouring cells, so that the cells are a grid of ceil(H/2) x
ceil(W/2) with K^4 labels, one for each labelling of a cell, and the same p and Z. A cylinder is folded once, K^2. Where
a side is odd, cells of its middle lack pixels; these are 0 for certain. Methods work on cells: exact ones stay exact,
and mean field, belief propagation and Gibbs treat a cell's pixels jointly, which is never less than one at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

import room
from errors import InputError
from models.grid import GridMRF
from models.model import Latents

MOST = 256  # labels of a cell, which are kept in a byte


@dataclass(frozen=True, eq=False, repr=False)
class Folded(GridMRF):
    """The cells as a grid; `seen` turns what is found of them into what is found of the pixels."""

    pixels: tuple[int, int, int] = (1, 1, 2)
    wraps: tuple[bool, bool] = (False, False)

    def __repr__(self) -> str:
        H, W, K = self.pixels
        return f"Folded({H} x {W}, wrapped, {K} labels, as {self.shape[0]} x {self.shape[1]} cells of {self.shape[2]})"

    @cached_property
    def fold(self) -> Fold:
        return Fold(self.pixels, self.wraps)

    def seen(self, found: dict[str, Tensor]) -> dict[str, Tensor]:
        """Of the pixels: labels (..., H, W) and probabilities (H, W, K), from those of the cells."""
        return {name: self.fold.labels(x) if name == "labels" and not x.is_floating_point()
                else self.fold.marginals(x) if name == "labels" else x for name, x in found.items()}

    def quantities(self, latents: Latents) -> dict[str, Tensor]:
        """Indicators of the cells' labels, or of the pixels', whichever these are."""
        y = latents["labels"].to(torch.int64)
        K = self.shape[2] if y.shape[-2:] == self.shape[:2] else self.pixels[2]
        return {"labels": torch.nn.functional.one_hot(y, K).to(torch.float64)}

    def clamped(self, labels: Int64[Tensor, "H W"]) -> GridMRF:
        """With pixels that are known for certain, as `GridMRF.clamped`."""
        H, W, K = self.pixels
        known = GridMRF(torch.zeros(H, W, K).double(), torch.zeros(H, W - 1, K, K).double(),
                        torch.zeros(H - 1, W, K, K).double()).clamped(labels)
        nothing = torch.zeros(H, W, K, K, dtype=torch.float64)
        from_them = folded(known.unary, nothing, nothing, self.wraps).unary
        return self._with_unary(self.unary + from_them.to(self.device))

    def _with_unary(self, unary: Tensor) -> Folded:
        return Folded(unary, self.right, self.down, self.evidence, self.pixels, self.wraps)

    def facts(self, data: Tensor | None = None) -> dict[str, Any]:
        H, W, K = self.pixels
        found = super().facts(data)
        return found | {"model": found["model"] | {"height": H, "width": W, "labels": K, "wrapped": list(self.wraps)}}


@dataclass(frozen=True)
class Fold:
    """Which pixel is where: along an axis of n pixels that is folded, pixel i is in cell min(i, n-1-i)."""

    pixels: tuple[int, int, int]
    wraps: tuple[bool, bool]  # whether the columns are joined (last row to first), and the rows

    @property
    def slots(self) -> tuple[int, int]:
        """How many pixels a cell has along a column, and along a row."""
        return 1 + self.wraps[0], 1 + self.wraps[1]

    def place(self, i: int, j: int) -> tuple[int, int, int]:
        """The cell of a pixel, and which of its pixels it is."""
        (a, s), (b, t) = (_along(x, n, wraps) for x, n, wraps in zip((i, j), self.pixels[:2], self.wraps, strict=True))
        return a, b, s * self.slots[1] + t

    @cached_property
    def places(self) -> Int64[Tensor, "3 H W"]:
        H, W, _ = self.pixels
        return torch.tensor([[self.place(i, j) for j in range(W)] for i in range(H)]).permute(2, 0, 1)

    @cached_property
    def digits(self) -> Int64[Tensor, "cell_labels slots"]:
        """The labels of a cell's pixels, by the label of the cell."""
        K, S = self.pixels[2], self.slots[0] * self.slots[1]
        return torch.cartesian_prod(*[torch.arange(K)] * S).reshape(K**S, S)

    def labels(self, y: Tensor) -> Tensor:
        """Labels (..., H, W) of pixels from those of cells."""
        a, b, slot = self.places.to(y.device)
        return self.digits.to(y.device)[y[..., a, b].long(), slot].to(y.dtype)

    def marginals(self, p: Float64[Tensor, "h w cell_labels"]) -> Float64[Tensor, "H W K"]:
        a, b, slot = self.places.to(p.device)
        of = torch.nn.functional.one_hot(self.digits, self.pixels[2]).to(p)  # (cell_labels, slots, K)
        return torch.einsum("hwc,csk->hwsk", p, of)[a, b, slot]


def _along(x: int, n: int, wraps: bool) -> tuple[int, int]:
    """Along one axis: the cell, and on which side of the fold.

    >>> [_along(x, 5, True) for x in range(5)]
    [(0, 0), (1, 0), (2, 0), (1, 1), (0, 1)]
    """
    return (min(x, n - 1 - x), int(2 * x > n - 1)) if wraps else (x, 0)


def folded(unary: Float64[Tensor, "H W K"], right: Float64[Tensor, "H W K K"], down: Float64[Tensor, "H W K K"],
           wraps: tuple[bool, bool]) -> Folded:
    """The cells of a grid whose columns, rows or both are joined; the tables of the last column and row join them.

    Errors: InputError for more labels of a cell than a byte holds, or more memory than there is.
    """
    H, W, K = unary.shape
    fold = Fold((H, W, K), wraps)
    S = fold.slots[0] * fold.slots[1]
    if K**S > MOST:
        raise InputError(f"{H} x {W} pixels, wrapped, are folded so that {S} of them are one, which with {K} labels "
                         f"has {K**S}: at most {MOST} are inferred")
    h, w = (-(-n // slots) for n, slots in zip((H, W), fold.slots, strict=True))
    room.refuse_beyond(f"{H} x {W} pixels, wrapped, as {h} x {w} cells of {K**S} labels", 16 * h * w * K ** (2 * S))
    cells = unary.new_zeros(h, w, K**S)
    pairs = unary.new_zeros(h, max(w - 1, 0), K**S, K**S), unary.new_zeros(max(h - 1, 0), w, K**S, K**S)
    held = torch.zeros(h, w, S, dtype=torch.bool)
    held[tuple(fold.places)] = True
    for a, b, s in (~held).nonzero().tolist():
        cells[a, b, fold.digits[:, s] != 0] = -torch.inf
    for i in range(H):
        for j in range(W):
            a, b, s = fold.place(i, j)
            cells[a, b] += unary[i, j][fold.digits[:, s]]
            if j + 1 < W or wraps[1]:
                _join(fold, (a, b, s), fold.place(i, (j + 1) % W), right[i, j], cells, pairs)
            if i + 1 < H or wraps[0]:
                _join(fold, (a, b, s), fold.place((i + 1) % H, j), down[i, j], cells, pairs)
    return Folded(cells, *pairs, 0.0, (H, W, K), wraps)


def _join(fold: Fold, one: tuple[int, int, int], other: tuple[int, int, int], table: Float64[Tensor, "K K"],
          cells: Tensor, pairs: tuple[Tensor, Tensor]) -> None:
    """Add the potential of two pixels to that of their cell, or of their two cells."""
    if one[:2] > other[:2]:
        one, other, table = other, one, table.T
    (a, b, s), (c, d, t) = one, other
    near, far = fold.digits[:, s], fold.digits[:, t]
    if (a, b) == (c, d):
        cells[a, b] += table[near, far]
    else:
        pairs[0 if a == c else 1][a, b] += table[near[:, None], far]
