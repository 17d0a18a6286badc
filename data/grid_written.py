"""Grid models and marginals as files for other programs: `.uai`, libDAI's `.fg`, `.MAR`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float64
from torch import Tensor

from data.factor_files import format_fg, format_uai
from data.uai_answers import format_marginals
from errors import InputError
from files import whole
from models.grid import GridMRF

WRITERS = {".uai": format_uai, ".fg": format_fg}
LARGEST = 700.0  # nats; exp of more than 709 is infinite, of less than -708 loses digits


def write_marginals(path: str | Path, marginals: Float64[np.ndarray, "H W K"]) -> None:
    """Write marginals as `.MAR`, pixel by pixel in row-major order."""
    _write(Path(path), format_marginals(marginals.reshape(-1, marginals.shape[-1])))


def write_grid(path: str | Path, model: GridMRF, data: Tensor | None = None) -> float:
    """Write a grid, given an image or not, as `.uai` or `.fg`, for other programs; returns the log of its scale.

        log Z = log Z of the file + the returned scale

    The file holds exp(log-potential). A table that goes beyond +-700 nats is first divided by its
    maximum, which is what the scale counts; it is 0 where none does. If then an entry would still
    become 0, the model is refused.
    """
    if Path(path).suffix.lower() not in WRITERS:
        raise InputError(f"{path}: a grid model is written as .uai or .fg")
    if model.pixels != model.shape:
        raise InputError(f"{model!r} is not written: its file is the one that it was read from")
    H, W, K = model.shape
    at = np.arange(H * W).reshape(H, W)
    factors: list[tuple[list[int], list[float]]] = []
    scale = 0.0
    for name, table, scopes in (
        ("unary", model.field(data), at[..., None]),
        ("right", model.right, np.stack([at[:, :-1], at[:, 1:]], -1)),
        ("down", model.down, np.stack([at[:-1], at[1:]], -1)),
    ):
        values, shift = _linear(name, table)
        scale += shift
        factors += zip(scopes.reshape(-1, scopes.shape[-1]).tolist(), values.tolist(), strict=True)
    _write(Path(path), WRITERS[Path(path).suffix.lower()](H * W, K, factors))
    return scale


def _write(path: Path, text: str) -> None:
    try:
        with whole(path) as aside:
            aside.write_text(text)
    except OSError as e:
        raise InputError(f"{path}: cannot be written: {e.strerror}") from None


def _linear(name: str, table: Tensor) -> tuple[Float64[np.ndarray, "n m"], float]:
    """exp of the tables of all sites, one a row, and the sum of the shifts that keep them finite."""
    logs = table.detach().cpu().flatten(0, 1).flatten(1).numpy()
    highest, lowest = logs.max(1, initial=-np.inf), logs.min(1, initial=np.inf, where=logs > -np.inf)
    shift = np.where((highest > LARGEST) | (lowest < -LARGEST), highest, 0.0)
    lost = lowest - shift < -LARGEST
    if lost.any():
        i, j = divmod(int(lost.argmax()), table.shape[1])
        span = float((highest - lowest)[lost][0])
        raise InputError(f"the '{name}' table at row {i}, column {j} spans {span:.6g} nats, but a .uai file holds "
                         f"exp of it, and exp(-{LARGEST:g}) is the least that fits")
    return np.exp(logs - shift[:, None]), float(shift.sum())
