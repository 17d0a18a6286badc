"""What the Markov kernels on grids share: where they start, a pixel's conditional, a draw from it, averages.

    p(y_ij = k | the rest) = softmax_k lambda_ij(k),
    lambda_ij(k) = field_ij(k) + sum over the neighbours n of theta(k, y_n)        (nats)

Pixels of one colour of a checkerboard do not touch, so a kernel may update all of them at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from jaxtyping import Bool, Float64, Int64, UInt8
from torch import Tensor

from errors import InputError
from inference.method import Latents, Quantities
from models.grid import GridMRF


@dataclass(frozen=True)
class Chain:
    """A chain's position and its Rao-Blackwellised average."""

    labels: UInt8[Tensor, "*copies H W"]
    sums: Float64[Tensor, "H W K"]  # of the probabilities that labels were drawn from, over `count` sweeps
    count: int


C = TypeVar("C", bound=Chain)


def draw(rng: torch.Generator, state: Chain, model: GridMRF) -> Latents:
    return {"labels": state.labels}


def expect(state: Chain, model: GridMRF) -> Quantities:
    """Marginals: the average of the probabilities over the sweeps; the labels themselves before the first."""
    return {"labels": state.sums / state.count} if state.count else model.quantities({"labels": state.labels})


def warm(state: C) -> C:
    """Warm-up ends: forget its averages, keep the labels."""
    return replace(state, sums=torch.zeros_like(state.sums), count=0)


def random_labels(rng: torch.Generator, model: GridMRF, *copies: int) -> UInt8[Tensor, "*copies H W"]:
    """A dispersed start: all pixels one of the K labels, or each its own."""
    H, W, K = model.shape
    if K > 256:
        raise InputError(f"a label is kept in a byte, so there may be at most 256 labels, not {K}")
    one = torch.randint(K + 1, (*copies, 1, 1), generator=rng, device=rng.device)
    each = torch.randint(K, (*copies, H, W), generator=rng, device=rng.device)
    return torch.where(one < K, one, each).to(torch.uint8)


def given_labels(model: GridMRF, latents: Latents) -> UInt8[Tensor, "H W"]:
    """The labels of `latents`, a tensor of their own."""
    H, W, K = model.shape
    labels = latents["labels"]
    if tuple(labels.shape) != (H, W):
        raise InputError(f"labels to start from must have the grid's shape {(H, W)}, not {tuple(labels.shape)}")
    if labels.is_floating_point() or bool(((labels < 0) | (labels >= K)).any()):
        raise InputError(f"labels to start from must be whole numbers from 0 to {K - 1}")
    return labels.to(torch.uint8, copy=True)


def conditional(labels: Int64[Tensor, "*copies H W"], field: Tensor, right: Tensor, down: Tensor
                ) -> Float64[Tensor, "*copies H W K"]:
    """lambda_ij(k) = log p(y_ij = k | the rest) + const of every pixel, in nats."""
    H, W, _ = field.shape
    rows, columns = torch.arange(H, device=field.device)[:, None], torch.arange(W, device=field.device)
    total = field.expand(*labels.shape, -1).clone()
    total[..., :, :-1, :] += right[rows, columns[:-1], :, labels[..., 1:]]
    total[..., :, 1:, :] += right[rows, columns[:-1], labels[..., :-1]]
    total[..., :-1, :, :] += down[rows[:-1], columns, :, labels[..., 1:, :]]
    total[..., 1:, :, :] += down[rows[:-1], columns, labels[..., :-1, :]]
    return total


def colours(field: Tensor) -> list[Bool[Tensor, "H W"]]:
    """The two halves of the checkerboard.

    >>> colours(torch.zeros(2, 3, 2))[0].int()
    tensor([[1, 0, 1],
            [0, 1, 0]], dtype=torch.int32)
    """
    H, W, _ = field.shape
    pixel = torch.arange(H * W, device=field.device).reshape(H, W)
    odd = (pixel // W + pixel % W) % 2 == 1
    return [~odd, odd]


def batches(schedule: str, field: Tensor) -> list[Bool[Tensor, "H W"]]:
    """The pixels that a schedule updates together, in turn: all, those of a colour, or (in raster order) each."""
    if schedule == "checkerboard":
        return colours(field)
    H, W, _ = field.shape
    pixel = torch.arange(H * W, device=field.device).reshape(H, W)
    return [pixel >= 0] if schedule == "synchronous" else [pixel == one for one in range(H * W)]


def pick(probability: Float64[Tensor, "*shape K"], uniform: Float64[Tensor, "*shape"]) -> Int64[Tensor, "*shape"]:
    """The label where the cumulative probability passes a uniform number.

    >>> pick(torch.tensor([[0.2, 0.3, 0.5]] * 3), torch.tensor([0.1, 0.4, 0.9]))
    tensor([0, 1, 2])
    """
    below, label = torch.zeros_like(uniform), torch.zeros_like(uniform, dtype=torch.int64)
    for p in probability[..., :-1].unbind(-1):  # as a cumsum it was most of a Gibbs sweep on a GPU
        below = below + p
        label = label + (uniform >= below)
    return label
