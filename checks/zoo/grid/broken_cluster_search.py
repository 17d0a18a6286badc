"""Swendsen-Wang whose cluster names do not travel along chains: the later bond overwrites the earlier.

Symptom: long clusters fall apart; neighbours agree too little.
"""

import torch

from checks.right.grid.swendsen_wang import BOND, bond_probability, bonds, decoupled, relabel

BATCHED = True


def transition(rng, latents, model, data):
    y = latents["labels"]
    linked = clusters(*bonds(rng, y, bond_probability(BOND)))
    return {"labels": relabel(rng, y, linked, decoupled(model, BOND), data)}


def clusters(right, down):
    H, W = right.shape[-2], down.shape[-1]
    name = torch.arange(H * W).reshape(H, W).expand(*right.shape[:-2], H, W).clone()
    for _ in range(H * W):
        for axis, bonded in ((-1, right), (-2, down)):
            ends = name.narrow(axis, 0, name.shape[axis] - 1), name.narrow(axis, 1, name.shape[axis] - 1)
            low = torch.minimum(*ends)
            for end in reversed(ends):
                end.copy_(low.where(bonded, end))
    return name
