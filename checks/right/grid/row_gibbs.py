"""Block Gibbs: a whole row of pixels at once given the rows above and below, by listing its K^W labellings."""

import torch

from checks.right.grid.pieces import choose, message, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field = latents["labels"].clone(), model.field(data)
    H, W, K = model.shape
    rows = torch.cartesian_prod(*[torch.arange(K, device=y.device)] * W).reshape(-1, W)
    for i in range(H):
        score = row_scores(model, field, y, i, rows)
        y[..., i, :] = rows[choose(score, uniforms(rng, y[..., 0, 0]))]
    return {"labels": y}


def row_scores(model, field, y, i, rows):
    """Log p(row i = each labelling in `rows` | the other rows), unnormalised, (..., K^W)."""
    score = torch.zeros(())
    for j in range(model.shape[1]):
        local = field[..., i, j, :] + message(model, y, i, j, "above") + message(model, y, i, j, "below")
        score = score + local[..., rows[:, j]]
        if j:
            score = score + model.right[i, j - 1][rows[:, j - 1], rows[:, j]]
    return score
