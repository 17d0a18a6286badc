"""Grid models in files that others wrote or read: `.uai` and libDAI's `.fg`, and the marginals of `.uai.MAR`.

Variables are the pixels in row-major order, v = i W + j. The files hold no layout; it is read off the
factors, whose variables must differ by 1 (neighbours in a row) or by W (in a column).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from data.factor_files import Factors, format_uai, parse_fg, parse_marginals, parse_uai
from errors import InputError
from files import whole
from models.grid import GridMRF

Parsed = TypeVar("Parsed")

BYTES = 10**8  # of memory, that a file of any size may take
SHARE = 8  # entries of a grid that stand for one in the file, where there are more: those left out are 0
LARGEST = 700.0  # nats; exp of more than 709 is infinite, of less than -708 loses digits


def read_grid(path: str | Path) -> GridMRF:
    """The model of a `.uai` or `.fg` file that holds a pairwise grid; a chain is a grid of one row.

    Factors on the same pixels are multiplied and missing ones are 1. Constant factors are kept, in
    unary[0, 0], so that log Z is the file's. Where all pair tables are equal they are one view. A factor of 0 is a
    hard constraint, -inf; so are the labels that a variable of fewer states than another lacks.
    """
    parsers = {".uai": parse_uai, ".fg": parse_fg}
    if Path(path).suffix.lower() not in parsers:
        raise InputError(f"{path}: a grid model is read from a .uai or a .fg file")
    return _parse(Path(path), lambda text: _grid(parsers[Path(path).suffix.lower()](text)))


def read_marginals(path: str | Path) -> Float64[Tensor, "n K"]:
    """The marginals of a `.uai.MAR` file; `.reshape(H, W, K)` lays them out as the grid's."""
    return _parse(Path(path), lambda text: torch.from_numpy(parse_marginals(text)))


def write_grid(path: str | Path, model: GridMRF, data: Tensor | None = None) -> float:
    """Write a grid, given an image or not, as `.uai`, for other programs; returns the log of its scale.

        log Z = log Z of the file + the returned scale

    The file holds exp(log-potential). A table that goes beyond +-700 nats is first divided by its
    maximum, which is what the scale counts; it is 0 where none does. If then an entry would still
    become 0, the model is refused.
    """
    if Path(path).suffix.lower() != ".uai":
        raise InputError(f"{path}: a grid model is written as .uai")
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
    try:
        with whole(path) as aside:
            aside.write_text(format_uai(H * W, K, factors))
    except OSError as e:
        raise InputError(f"{path}: cannot be written: {e.strerror}") from None
    return scale


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


def _parse(path: Path, parse: Callable[[str], Parsed]) -> Parsed:
    """Read a text file; whatever is wrong with it is said with its name."""
    if not path.is_file():
        raise InputError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
    try:
        return parse(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not a text file") from None
    except InputError as e:
        raise InputError(f"{path}: {e}") from None


def _grid(factors: Factors) -> GridMRF:
    n, K = factors.num_variables, factors.num_labels
    _check_size(n, K, sum(table.size for table in factors.tables))
    constant, single, pair = (
        [f for f, scope in enumerate(factors.scopes) if len(scope) == size] for size in (0, 1, 2))
    unary = np.where(np.arange(K) < np.array(factors.states)[:, None], 0.0, -np.inf)
    unary[0] += _log(factors, constant).sum()
    np.add.at(unary, [factors.scopes[f][0] for f in single], _log(factors, single).reshape(-1, K))

    scopes = np.array([factors.scopes[f] for f in pair], dtype=np.int64).reshape(-1, 2)
    tables = _log(factors, pair).reshape(-1, K, K)
    swapped = scopes[:, 0] > scopes[:, 1]
    tables[swapped] = tables[swapped].transpose(0, 2, 1)
    first, second = scopes.min(1, initial=n), scopes.max(1, initial=0)
    W = _width(first, second, n)
    pairs = {}
    for name, neighbours in (("right", second - first == 1), ("down", second - first > 1)):
        total = np.zeros((n, K, K))
        np.add.at(total, first[neighbours], tables[neighbours])
        pairs[name] = torch.from_numpy(total).reshape(n // W, W, K, K)
    return GridMRF(torch.from_numpy(unary).reshape(n // W, W, K),
                   _view(pairs["right"][:, :-1]), _view(pairs["down"][:-1]))


def _check_size(n: int, K: int, given: int) -> None:
    """Errors: InputError, before anything is allocated, for a few words that ask for a large grid."""
    entries = n * (K + 2 * K * K)
    if 24 * entries > BYTES and entries > SHARE * given:
        raise InputError(f"says that it has {n} variables of {K} states, which is {entries} log-potentials as a grid, "
                         f"and its tables give {given} of them: it is damaged, or no grid")


def _log(factors: Factors, which: list[int]) -> np.ndarray:
    """Logarithms of some factors' tables, all of one number of variables, with 0 nats for states that these lack."""
    K, own = factors.num_labels, [factors.tables[f] for f in which]
    tables = np.array([t if t.size == K**t.ndim else np.pad(t, [(0, K - n) for n in t.shape], constant_values=1.0)
                       for t in own])
    wrong = ~((tables >= 0) & (tables < np.inf))
    if wrong.any():
        f = which[int(np.argwhere(wrong)[0, 0])]
        raise InputError(f"factor {f}, of variables {factors.scopes[f]}, holds {float(tables[wrong][0]):g}, but "
                         f"factors are at least 0 and finite")
    nothing = next((f for f, table in zip(which, own, strict=True) if not table.any()), None)
    if nothing is not None:
        raise InputError(f"no labelling is possible (Z = 0): factor {nothing}, of variables "
                         f"{factors.scopes[nothing]}, is 0")
    with np.errstate(divide="ignore"):
        return np.log(tables)


def _width(first: Int64[np.ndarray, "m"], second: Int64[np.ndarray, "m"], n: int) -> int:
    """W of the row-major grid whose neighbours the pairs (first, second), first < second, are."""
    step = second - first
    W = int(step.max(initial=1))
    if W == 1:
        return n
    if wrapped := _wrapped(first, second, n):
        raise InputError(f"is a grid of {wrapped} pixels, wrapped: its borders are joined, as on a torus, and only "
                         f"grids with borders are read")
    if n % W:
        v = int(step.argmax())
        raise InputError(f"is not a grid in row-major order: variables {first[v]} and {second[v]} share a factor, "
                         f"so rows would have {W} pixels, which {n} variables do not fill")
    wrong = (step != W) & ((step != 1) | (second % W == 0))
    if wrong.any():
        v = int(wrong.argmax())
        raise InputError(f"is not a grid in row-major order: variables {first[v]} and {second[v]} share a factor, but "
                         f"are not neighbours in rows of {W} pixels")
    return W


def _wrapped(first: Int64[np.ndarray, "m"], second: Int64[np.ndarray, "m"], n: int) -> str:
    """The size "H x W" of the torus whose neighbours the pairs are, across both of its borders too; or nothing."""
    for W in (W for W in range(3, n // 3 + 1) if n % W == 0):
        H = n // W
        rows, columns = abs(first // W - second // W), abs(first % W - second % W)
        along, across = (rows == 0) & np.isin(columns, (1, W - 1)), (columns == 0) & np.isin(rows, (1, H - 1))
        if (along | across).all() and (columns == W - 1).any() and (rows == H - 1).any():
            return f"{H} x {W}"
    return ""


def _view(tables: Float64[Tensor, "a b K K"]) -> Float64[Tensor, "a b K K"]:
    """One table seen from every site, where all are equal; methods are faster on such grids."""
    if tables.numel() == 0 or not bool((tables == tables[0, 0]).all()):
        return tables.contiguous()
    return tables[0, 0].clone().expand(tables.shape)
