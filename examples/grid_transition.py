"""A kernel for images to start from: Metropolis on all black pixels at once, then on all white ones. Ask, run:

    python run.py --check examples/grid_transition.py --problem 1
    python run.py --problem 1 --image examples/patch.png --beta 0.2 --sweeps 200 --method strip \
        --method examples/grid_transition.py

Pixels of one colour of the checkerboard do not touch, so given the other colour each may go by itself: propose any
label, all equally likely, and accept with min(1, p(new | neighbours) / p(old | neighbours)).
"""

import torch
from torch import Tensor

from models.grid import GridMRF

BATCHED = True  # optional: leading axes of labels and images are replicates, and --check takes seconds, not minutes


def transition(rng: torch.Generator, latents: dict[str, Tensor], model: GridMRF, data: Tensor | None
               ) -> dict[str, Tensor]:
    y = latents["labels"]  # (..., H, W), whole numbers 0..K-1
    H, W, K = model.shape
    # Not model.unary: --check hands the image over as `data`, and the model's unary knows nothing of it. In a run of
    # Problem 1 `data` is None and the image is in the unary. model.field(data) is right both times.
    field = model.field(data)
    colour = (torch.arange(H)[:, None] + torch.arange(W)) % 2
    for now in (0, 1):
        new = torch.randint(K, y.shape, generator=rng)  # rng: the only source of chance
        score = log_conditional(model, field, y)
        ratio = score.gather(-1, new[..., None]) - score.gather(-1, y[..., None])
        yes = torch.rand(y.shape, generator=rng, dtype=torch.float64).log() < ratio[..., 0]
        y = torch.where(yes & (colour == now), new, y)
    return {"labels": y}


def log_conditional(model: GridMRF, field: Tensor, y: Tensor) -> Tensor:
    """log p(label k at a pixel | its neighbours), up to a constant: (..., H, W, K), in nats."""
    H, W, K = model.shape
    row, column = torch.arange(H)[:, None], torch.arange(W)
    score = field.expand(*y.shape, K).clone()
    score[..., :, 1:, :] += model.right[row, column[:-1], y[..., :, :-1]]  # what the left neighbour says of k,
    score[..., :, :-1, :] += model.right.mT[row, column[:-1], y[..., :, 1:]]  # the right one,
    score[..., 1:, :, :] += model.down[row[:-1], column, y[..., :-1, :]]  # the one above,
    score[..., :-1, :, :] += model.down.mT[row[:-1], column, y[..., 1:, :]]  # the one below
    return score
