"""Block Gibbs whose rows are drawn given the row above only, as a forward filter without the backward pass.

Symptom: upper rows do not know of the lower ones; vertical neighbours agree too little.
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
            local = field[..., i, j, :] + message(model, y, i, j, "above")
            score = score + local[..., rows[:, j]]
            if j:
                score = score + model.right[i, j - 1][rows[:, j - 1], rows[:, j]]
        y[..., i, :] = rows[choose(score, uniforms(rng, y[..., 0, 0]))]
    return {"labels": y}
