"""Block Gibbs whose rows are drawn pixel by pixel as if a row had no edges of its own.

Symptom: horizontal neighbours agree too little, vertical ones are right.
"""

import torch

from checks.right.grid.pieces import choose, message, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field = latents["labels"].clone(), model.field(data)
    H, W, K = model.shape
    rows = torch.cartesian_prod(*[torch.arange(K)] * W).reshape(-1, W)
    for i in range(H):
        score = torch.zeros(())
        for j in range(W):
            local = field[..., i, j, :] + message(model, y, i, j, "above") + message(model, y, i, j, "below")
            score = score + local[..., rows[:, j]]
        y[..., i, :] = rows[choose(score, uniforms(rng, y[..., 0, 0]))]
    return {"labels": y}
