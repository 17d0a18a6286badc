"""Swendsen-Wang with partial decoupling (Higdon 1998): equal neighbours are bonded, clusters relabelled in turn.

    bond of an edge whose labels are equal:  1 with probability 1 - exp(-delta),  delta = BOND >= 0
    label of a cluster | bonds, the rest  ~  softmax over k of log p~ with the table pair - delta I

Only delta of the equality bonus makes bonds; all the rest of the pair potential, the bonus for label
distance 1 included, stays between the clusters. Any delta is right.
"""

import torch

from checks.right.grid.pieces import choose, uniforms
from models.grid import GridMRF

BATCHED = True
BOND = 0.8  # nats


def transition(rng, latents, model, data):
    y, delta = latents["labels"], BOND
    return {"labels": relabel(rng, y, clusters(*bonds(rng, y, bond_probability(delta))), decoupled(model, delta), data)}


def bond_probability(delta):
    return -torch.expm1(-torch.tensor(delta, dtype=torch.float64))


def bonds(rng, y, probability):
    """Which edges to the right, (..., H, W-1), and down, (..., H-1, W), are bonded."""
    right, down = y[..., :, 1:] == y[..., :, :-1], y[..., 1:, :] == y[..., :-1, :]
    return right & (uniforms(rng, right) < probability), down & (uniforms(rng, down) < probability)


def clusters(right, down):
    """The lowest pixel number of each pixel's cluster, (..., H, W)."""
    H, W = right.shape[-2], down.shape[-1]
    name = torch.arange(H * W).reshape(H, W).expand(*right.shape[:-2], H, W).clone()
    ends = ((name[..., :, :-1], name[..., :, 1:], right), (name[..., :-1, :], name[..., 1:, :], down))
    for _ in range(H * W):
        for one, other, bonded in ends:  # views of `name`
            for x, y in ((one, other), (other, one)):
                x.copy_(torch.minimum(x, y).where(bonded, x))
    return name


def decoupled(model, delta):
    """The model whose pair tables have lost what the bonds took."""
    eye = delta * torch.eye(model.shape[2], dtype=torch.float64)
    return GridMRF(model.unary, model.right - eye, model.down - eye, model.evidence)


def relabel(rng, y, cluster, model, data):
    for root in range(y.shape[-2] * y.shape[-1]):
        here = cluster == root
        score = torch.stack([model.log_joint({"labels": torch.full_like(y, k).where(here, y)}, data)
                             for k in range(model.shape[2])], -1)
        label = choose(score, uniforms(rng, y[..., 0, 0]))
        y = label[..., None, None].where(here, y)
    return y
