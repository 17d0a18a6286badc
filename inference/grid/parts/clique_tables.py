"""What the pgmpy methods share: global state, how large tables get, the range of doubles, and joint draws."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from errors import InputError
from inference.generators import handed_back
from inference.grid.parts.constraints import refuse_impossible
from inference.method import Latents
from models.grid import GridMRF

MAX_PIXELS = 512  # pgmpy's bookkeeping grows with the square of their number: 512 take about 10 seconds
LOST = 1e-12  # share of Z that underflow may take
SMALLEST = -1074 * math.log(2)  # log of the smallest positive double


@contextmanager
def pgmpy_at_work() -> Iterator[None]:
    """pgmpy draws from global generators and, when imported, moves Python's and warns of itself.

    The generators and the warnings are handed back as they were. Its 0/0 pass in silence: the results are checked.
    """
    with handed_back(), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", FutureWarning)
        yield


def refuse_large(name: str, model: GridMRF, max_entries: int) -> None:
    """InputError if a clique, one pixel more than the shorter side, has more entries than that."""
    H, W, K = model.shape
    pixels = min(H, W) + 1
    if pixels * math.log(K) > math.log(max_entries) + 1e-9:
        raise InputError(
            f"{name} on a {H} x {W} grid with {K} labels needs tables over cliques of {pixels} pixels: "
            f"{K}^{pixels} entries, {_bytes(8, pixels * math.log10(K))} each, and {H * W} of them; "
            f"it takes up to {max_entries} entries: use the method 'strip', or an approximate one")
    if H * W > MAX_PIXELS:
        raise InputError(f"{name} takes up to {MAX_PIXELS} pixels, because pgmpy compares all pairs of its tables, "
                         f"and this {H} x {W} grid has {H * W}: use the method 'strip'")


def log_total(name: str, total: float, model: GridMRF) -> float:
    """log of the sum of a network's products, refused where doubles do not reach.

    The network's factors are at most 1, but their products may underflow. A product rounded to a multiple of
    2^-1074, the smallest double, loses at most that, before it is multiplied by what is at most 1; Z is a sum
    of K^(HW) products of less than 3HW factors; so what Z loses is below 3HW K^(HW) 2^-1074.
    """
    if total == 0:
        refuse_impossible(model)
    H, W, K = model.shape
    lost = math.log(3 * H * W) + H * W * math.log(K) + SMALLEST
    if not 0 < total < math.inf or lost - math.log(total) > math.log(LOST):
        raise InputError(f"{name} multiplies probabilities as plain doubles, and this {H} x {W} grid's potentials "
                         f"are too strong or too many for their range; use the method 'strip', which works on logs")
    return math.log(total)


def draw(rng: torch.Generator, scopes: Sequence[Sequence[int]], tables: Sequence[Tensor], model: GridMRF) -> Latents:
    """Labels drawn table by table: p(pixels not yet drawn | those drawn), which is the table where they are fixed.

    A joint draw if the tables are proportional to p(scope) and follow a junction tree from its root.
    """
    H, W, K = model.shape
    uniforms = torch.rand(len(tables), dtype=torch.float64, device=rng.device, generator=rng).tolist()
    labels: dict[int, int] = {}
    for scope, table, uniform in zip(scopes, tables, uniforms, strict=True):
        cumulative = table[tuple(labels.get(pixel, slice(None)) for pixel in scope)].flatten().cumsum(0)
        picked = int(torch.searchsorted(cumulative, uniform * cumulative[-1], right=True))
        picked = min(picked, len(cumulative) - 1)
        for pixel in [pixel for pixel in reversed(scope) if pixel not in labels]:
            picked, labels[pixel] = divmod(picked, K)
    return {"labels": torch.tensor([labels[pixel] for pixel in range(H * W)], device=model.device).reshape(H, W)}


def _bytes(size: int, log10_count: float) -> str:
    if log10_count > 15:
        return f"10^{log10_count + math.log10(size):.0f} bytes"
    total = size * 10**log10_count
    unit = min(int(math.log2(total) / 10 + 1e-9), 4)
    return f"{total / 1024**unit:.3g} {('B', 'KiB', 'MiB', 'GiB', 'TiB')[unit]}"
