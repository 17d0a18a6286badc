"""Images drawn by our own code, clean and with the noise that the models are to remove.

A noisy image is the clean one with every pixel flipped, with the image's own probability,
to one of the other labels, each equally likely.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from errors import unknown


def _small() -> Int64[Tensor, "3 3"]:
    """The 3 x 3 reference image, whose exact posterior is known to 9 digits."""
    return torch.tensor([[0, 0, 0], [0, 0, 0], [1, 1, 1]])


def _spiral() -> Int64[Tensor, "640 640"]:
    """A stroke along r = pitch * turns, from the centre outwards, with round ends."""
    pitch, width, first, last = 58.0, 28.0, 0.42, 5.1  # pixels, pixels, turns, turns
    x, y = _centred(640)
    x, y = x + 15, y - 15  # the last half turn reaches further right and down: this evens the margins
    r, angle = torch.hypot(x, y), torch.atan2(y, x) / (2 * math.pi)
    turns = torch.clamp(torch.round(r / pitch - angle), math.ceil(first - 0.5), math.floor(last + 0.5)) + angle
    stroke = ((r - pitch * turns).abs() < width / 2) & (turns > first) & (turns < last)
    for end in (first, last):
        a = 2 * math.pi * end
        stroke |= torch.hypot(x - pitch * end * math.cos(a), y - pitch * end * math.sin(a)) < width / 2
    return stroke.to(torch.int64)


def _flag() -> Int64[Tensor, "100 100"]:
    """A waving Nordic cross: field 0, border 1, cross 2."""
    x, y = _centred(100)
    y = y - 5 * torch.sin(2 * math.pi * (x + 50) / 80)
    distance = torch.minimum((x + 14).abs(), y.abs())  # from the cross's nearer axis
    return (distance < 16).to(torch.int64) + (distance < 8)


def _bullseye() -> Int64[Tensor, "100 100"]:
    """Rings of 9 pixels on a background of label 0, the labels 2, 1, 0 taking turns from the outside in."""
    ring = torch.floor(torch.hypot(*_centred(100)) / 9).to(torch.int64)
    return torch.where(ring < 5, (ring + 1) % 3, 0)


def _centred(n: int) -> tuple[Tensor, Tensor]:
    """Coordinates x, y of the pixels of an n x n image, from its centre, y upwards."""
    at = torch.arange(n, dtype=torch.float64) - (n - 1) / 2
    y, x = torch.meshgrid(-at, at, indexing="ij")
    return x, y


class _Image(NamedTuple):
    draw: Callable[[], Tensor]
    num_labels: int
    noise: float  # probability that a pixel is flipped


_IMAGES = {
    "small": _Image(_small, 2, 0.0),
    "spiral": _Image(_spiral, 2, 0.02),
    "flag": _Image(_flag, 3, 0.2),
    "bullseye": _Image(_bullseye, 3, 0.2),
}
BUILTIN = tuple(_IMAGES)


def clean(name: str) -> Int64[Tensor, "H W"]:
    """The labels of a built-in image before the noise: the truth that a denoiser is judged by."""
    return _find(name).draw()


def builtin(name: str, rng: torch.Generator) -> Float64[Tensor, "H W K"]:
    """A built-in image with its noise, as indicators of 0 and 1."""
    image = _find(name)
    labels, K = image.draw(), image.num_labels
    flipped = torch.rand(labels.shape, dtype=torch.float64, generator=rng) < image.noise
    other = (labels + torch.randint(1, K, labels.shape, generator=rng)) % K
    return torch.nn.functional.one_hot(torch.where(flipped, other, labels), K).to(torch.float64)


def _find(name: str) -> _Image:
    if name not in _IMAGES:
        raise unknown("image", name, BUILTIN)
    return _IMAGES[name]
