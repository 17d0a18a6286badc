"""What the Markov kernels on grids share: where they start, a pixel's conditional, a draw from it.

    p(y_ij = k | the rest) = softmax_k lambda_ij(k),
    lambda_ij(k) = field_ij(k) + sum over the neighbours n of theta(k, y_n)        (nats)

Pixels of one colour of a checkerboard do not touch, so a kernel may update all of them at once.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float64, Int64, UInt8
from torch import Tensor

from errors import InputError
from inference.method import Latents
from models.grid import GridMRF


def random_labels(rng: torch.Generator, model: GridMRF, *copies: int) -> UInt8[Tensor, "*copies H W"]:
    """A dispersed start: all pixels one of the K labels, or each its own."""
    H, W, K = model.shape
    if K > 256:
        raise InputError(f"labels are kept in a byte, so there may be at most 256, not {K}")
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


def potentials(labels: Int64[Tensor, "*copies H W"], field: Tensor, right: Tensor, down: Tensor
               ) -> Float64[Tensor, "*copies H W K"]:
    """lambda_ij(k) of every pixel, in nats."""
    H, W, _ = field.shape
    rows, columns = torch.arange(H, device=field.device)[:, None], torch.arange(W, device=field.device)
    total = field.expand(*labels.shape, -1).clone()
    total[..., :, :-1, :] += right[rows, columns[:-1], :, labels[..., 1:]]
    total[..., :, 1:, :] += right[rows, columns[:-1], labels[..., :-1]]
    total[..., :-1, :, :] += down[rows[:-1], columns, :, labels[..., 1:, :]]
    total[..., 1:, :, :] += down[rows[:-1], columns, labels[..., :-1, :]]
    return total


def colours(field: Tensor) -> list[Bool[Tensor, "H W"]]:
    """The two halves of the checkerboard."""
    H, W, _ = field.shape
    pixel = torch.arange(H * W, device=field.device).reshape(H, W)
    odd = (pixel // W + pixel % W) % 2 == 1
    return [~odd, odd]


def pick(probability: Float64[Tensor, "*shape K"], uniform: Float64[Tensor, "*shape"]) -> Int64[Tensor, "*shape"]:
    """The label where the cumulative probability passes a uniform number."""
    return (uniform[..., None] >= probability[..., :-1].cumsum(-1)).sum(-1)
