"""What is measured on a grid: data-dependent functions, and residuals of the exact conditionals.

    residual of s at pixel i  =  s(y_i) - sum_k p(y_i = k | rest) s(k)

whose expectation is zero given everything else; s is agreement with the image, with a neighbour, ...
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from checks.problems.problem import Features
from checks.problems.pseudo_likelihood import REPLICATES, fitted, off
from inference.method import Latents
from models.grid import GridMRF


def free(model: GridMRF, latents: Latents, image: Tensor) -> Features:
    """Every function, (n,) each, of labels (n, H, W) and images (n, H, W, K)."""
    y, x = latents["labels"], image
    Y = one_hot(y, model.shape[2]).to(torch.float64)
    return {**whole(model, y, Y, x), **by_place(Y, x), **residuals(model, y, Y, x)}


def normal(model: GridMRF, latents: Latents, image: Tensor) -> Features:
    """Labels have no function that is normal."""
    return {}


def whole(model: GridMRF, y: Tensor, Y: Tensor, x: Tensor) -> Features:
    """Functions of all pixels."""
    agree, total = (Y * x).sum(-1), Y.sum((1, 2))
    found: Features = {("log joint", "all pixels"): model.log_joint({"labels": y}, x),
                       ("agreement with the image", "all pixels"): agree.sum((1, 2))}
    for k in range(Y.shape[-1]):
        found[f"number of pixels with label {k}", "all pixels"] = total[:, k]
    for name, (a, b) in edges(y).items():
        found["equal neighbours", f"edges {name}"] = (a == b).double().sum((1, 2))
        found["neighbours one label apart", f"edges {name}"] = ((a - b).abs() == 1).double().sum((1, 2))
        found["ordered neighbours", f"edges {name}"] = (a < b).double().sum((1, 2)) - (a > b).sum((1, 2))
    for name, (a, b) in {"diagonal \\": (y[:, :-1, :-1], y[:, 1:, 1:]), "diagonal /": (y[:, :-1, 1:], y[:, 1:, :-1])
                         }.items():
        found["equal pixels", name] = (a == b).double().sum((1, 2))
    return found


def edges(y: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    return {"to the right": (y[:, :, :-1], y[:, :, 1:]), "below": (y[:, :-1], y[:, 1:])}


def by_place(Y: Tensor, x: Tensor) -> Features:
    """Functions of one pixel or one edge."""
    found: Features = {}
    agree = (Y * x).sum(-1)
    for i, j in torch.cartesian_prod(torch.arange(Y.shape[1]), torch.arange(Y.shape[2])).tolist():
        found["agreement with the image", f"pixel ({i}, {j})"] = agree[:, i, j]
        for name, (a, b) in {"to the right": (i, j + 1), "below": (i + 1, j)}.items():
            if a < Y.shape[1] and b < Y.shape[2]:
                found["equal neighbours", f"edge ({i}, {j}) {name}"] = (Y[:, i, j] * Y[:, a, b]).sum(-1)
    return found


def residuals(model: GridMRF, y: Tensor, Y: Tensor, x: Tensor) -> Features:
    """Residuals by label, by side and by pixel."""
    local, sides = neighbourhood(model, y, model.field(x))
    excess = Y - torch.softmax(local, -1)  # (n, H, W, K)
    K = Y.shape[-1]
    found: Features = {("residual of label " + str(k), "all pixels"): excess[..., k].sum((1, 2)) for k in range(K)}
    agree, energy = (excess * x).sum(-1), (excess * local).sum(-1)
    found["residual of agreement with the image", "all pixels"] = agree.sum((1, 2))
    found["residual of the log-potential", "all pixels"] = energy.sum((1, 2))
    labels = torch.arange(K)
    near = ((labels[:, None] - labels).abs() == 1).double()
    for side, (Z, said) in sides.items():
        found["residual of agreement with the neighbour", side] = (excess * Z).sum((1, 2, 3))
        found["residual of one label apart", side] = (excess * (Z @ near)).sum((1, 2, 3))
        found["residual of the pair potential", side] = (excess * said).sum((1, 2, 3))
    for i, j in torch.cartesian_prod(torch.arange(y.shape[1]), torch.arange(y.shape[2])).tolist():
        found["residual of the log-potential", f"pixel ({i}, {j})"] = energy[:, i, j]
        found["residual of agreement with the image", f"pixel ({i}, {j})"] = agree[:, i, j]
    return found


def neighbourhood(model: GridMRF, y: Tensor, field: Tensor) -> tuple[Tensor, dict[str, tuple[Tensor, Tensor]]]:
    """log p(y_i = k | rest) unnormalised, (n, H, W, K); and by side the neighbour's label and its message.

    Both are zero where there is no neighbour.
    """
    H, W, K = model.shape
    rows, columns = torch.arange(H)[:, None], torch.arange(W)
    Y = one_hot(y, K).to(torch.float64)
    local, found = field, {}
    said = {
        "left": (slice(None), slice(1, None), model.right[rows, columns[:-1], y[..., :-1]], Y[..., :-1, :]),
        "right": (slice(None), slice(None, -1), model.right.mT[rows, columns[:-1], y[..., 1:]], Y[..., 1:, :]),
        "above": (slice(1, None), slice(None), model.down[rows[:-1], columns, y[..., :-1, :]], Y[..., :-1, :, :]),
        "below": (slice(None, -1), slice(None), model.down.mT[rows[:-1], columns, y[..., 1:, :]], Y[..., 1:, :, :]),
    }
    for side, (i, j, message, neighbour) in said.items():
        placed, there = torch.zeros_like(Y), torch.zeros_like(Y)
        placed[:, i, j], there[:, i, j] = message, neighbour
        local = local + placed
        found[f"neighbour {side}" if side in ("above", "below") else f"neighbour to the {side}"] = (there, placed)
    return local, found


def coordinates(model: GridMRF, latents: Latents) -> Features:
    """What must move: whether each pixel has each label (but the first, which the others decide)."""
    y = latents["labels"]
    places = [(i, j) for i in range(y.shape[1]) for j in range(y.shape[2])]
    return {("pixel", f"({i}, {j}) with label {k}"): (y[:, i, j] == k).double()
            for i, j in places for k in range(1, model.shape[2])}


def implied(model: GridMRF, after: Latents, images: Tensor) -> list[str]:
    """The weights of the evidence and of each neighbour's potential that a kernel's conditionals seem to have."""
    y, image = after["labels"][:REPLICATES], images[:REPLICATES]
    _, sides = neighbourhood(model, y, model.field(image))
    parts = {"the evidence": model.evidence * image, **{f"the potential of the {s}": m for s, (_, m) in sides.items()}}
    stacked = torch.stack(list(parts.values()))

    def loss(factor: Tensor) -> Tensor:
        scores = model.unary + torch.einsum("p,pnhwk->nhwk", factor, stacked)
        return -torch.log_softmax(scores, -1).gather(-1, y[..., None]).sum()

    at, error = fitted(loss, torch.ones(len(parts), dtype=torch.float64))
    return [f"it samples as if {name} were {float(a):.2f} times what you passed"
            for name, a, e in zip(parts, at, error, strict=True) if off(a - 1, e)]
