"""Small grids that tell kernels apart."""

import pytest
import torch

from inference.job import generator
from models.grid import GridMRF


@pytest.fixture(autouse=True)
def one_thread():
    """Grids of a few pixels, thousands of times: threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def mixed(H: int, W: int, K: int, scale: float = 1.0, seed: int = 0) -> GridMRF:
    """Fields, and pair tables of every edge's own: neither symmetric nor of one sign."""
    rng = generator(seed, "mixed", "cpu")
    unary, right, down = (scale * torch.randn(shape, dtype=torch.float64, generator=rng)
                          for shape in ((H, W, K), (H, W - 1, K, K), (H - 1, W, K, K)))
    for pair in (right, down):
        pair[:, ::2] += 1.5 * scale * torch.eye(K, dtype=torch.float64)  # so that some edges can be bound
    return GridMRF(unary, right, down)
