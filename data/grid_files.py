"""Grid models that others wrote: `.uai` and libDAI's `.fg`, in `.gz` or not, and what goes with them.

Variables are the pixels in row-major order, v = i W + j. The files hold no layout; it is read off the
factors, whose variables must differ by 1 (neighbours in a row) or by W (in a column). Where the ends of rows or of
columns are joined too, on a torus or a cylinder, the model is that of `models.folded`.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from data.factor_files import Factors, parse_fg, parse_uai
from data.uai_answers import parse_evidence, parse_marginals
from errors import InputError
from models.folded import folded
from models.grid import GridMRF

Parsed = TypeVar("Parsed")

BYTES = 10**8  # of memory, that a file of any size may take
SHARE = 8  # entries of a grid that stand for one in the file, where there are more: those left out are 0
MOST_NEIGHBOURS = 4  # of a pixel
MOST_PACKED = 64  # bytes of text that one of a .gz file stands for
PARSERS = {".uai": parse_uai, ".fg": parse_fg}


def read_grid(path: str | Path) -> GridMRF:
    """The model of a `.uai` or `.fg` file that holds a pairwise grid; a chain is a grid of one row.

    Factors on the same pixels are multiplied and missing ones are 1. Constant factors are kept, in
    unary[0, 0], so that log Z is the file's. Where all pair tables are equal they are one view. A factor of 0 is a
    hard constraint, -inf; so are the labels that a variable of fewer states than another lacks.
    """
    if not is_grid(path):
        raise InputError(f"{path}: a grid model is read from a .uai or a .fg file, or one of these in .gz")
    return _parse(Path(path), lambda text: _grid(PARSERS[_ending(path)](text)))


def is_grid(path: str | Path) -> bool:
    """Whether its name is that of a grid model, .uai or .fg, in .gz or not."""
    return _ending(path) in PARSERS


def stem(path: str | Path) -> str:
    """Its name without its endings.

    >>> stem("there/grid.uai.gz")
    'grid'
    """
    return Path(Path(path).name.removesuffix(".gz")).stem


def _ending(path: str | Path) -> str:
    return Path(Path(path).name.lower().removesuffix(".gz")).suffix


def read_marginals(path: str | Path) -> Float64[Tensor, "n K"]:
    """The marginals of a `.uai.MAR` file; `.reshape(H, W, K)` lays them out as the grid's."""
    return _parse(Path(path), lambda text: torch.from_numpy(parse_marginals(text)))


def read_evidence(path: str | Path, model: GridMRF) -> Int64[Tensor, "H W"]:
    """The labels of the pixels of a grid that a `.uai.evid` file knows, -1 where it does not."""
    H, W, K = model.pixels
    known = _parse(Path(path), parse_evidence)
    for variable, state in known.items():
        if variable >= H * W or state >= K:
            raise InputError(f"{path}: variable {variable} is {state}, but the grid has {H * W} variables of {K} "
                             f"states")
    labels = torch.full((H * W,), -1)
    labels[list(known)] = torch.tensor(list(known.values()), dtype=torch.int64)
    return labels.reshape(H, W)


def _parse(path: Path, parse: Callable[[str], Parsed]) -> Parsed:
    """Read a text file; whatever is wrong with it is said with its name."""
    if not path.is_file():
        raise InputError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
    try:
        return parse((unpacked(path) if path.suffix.lower() == ".gz" else path.read_bytes()).decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not a text file") from None
    except InputError as e:
        raise InputError(f"{path}: {e}") from None


def unpacked(path: Path) -> bytes:
    """What a .gz file holds. Errors: InputError for more than its size can be of."""
    most = BYTES // 5 + MOST_PACKED * path.stat().st_size
    try:
        with gzip.open(path) as file:
            found = file.read(most + 1)
    except (OSError, EOFError, zlib.error):
        raise InputError("cannot be unpacked: it is damaged, or not a .gz file") from None
    if len(found) > most:
        raise InputError(f"holds more than {most} bytes in {path.stat().st_size}: unpack it first")
    return found


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
    fields = torch.from_numpy(unary)
    if not _open(first, second, n) and (joined := _wrapped(first, second, n)):
        W, wraps = joined
        return folded(fields.reshape(n // W, W, K), *_around(first, second, tables, W, n), wraps)
    W = _width(first, second, n)
    pairs = {}
    for name, neighbours in (("right", second - first == 1), ("down", second - first > 1)):
        total = np.zeros((n, K, K))
        np.add.at(total, first[neighbours], tables[neighbours])
        pairs[name] = torch.from_numpy(total).reshape(n // W, W, K, K)
    return GridMRF(fields.reshape(n // W, W, K),
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
    _check_degrees(first, second, n)
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


def _check_degrees(first: Int64[np.ndarray, "m"], second: Int64[np.ndarray, "m"], n: int) -> None:
    """Errors: InputError for a graph that is no grid in any order."""
    first, second = np.unique(np.stack([first, second]), axis=1)
    neighbours = np.bincount(first, minlength=n) + np.bincount(second, minlength=n)
    if neighbours.max() > MOST_NEIGHBOURS:
        v = int(neighbours.argmax())
        raise InputError(f"is a graph of {n} variables and {len(first)} pairs, and no grid in any order: variable {v} "
                         f"shares factors with {neighbours[v]} others, a pixel with at most {MOST_NEIGHBOURS}")


def _open(first: Int64[np.ndarray, "m"], second: Int64[np.ndarray, "m"], n: int) -> bool:
    """Whether the pairs are neighbours in a grid with borders."""
    step = second - first
    W = int(step.max(initial=1))
    return W == 1 or (n % W == 0 and bool(((step == W) | ((step == 1) & (second % W != 0))).all()))


def _wrapped(first: Int64[np.ndarray, "m"], second: Int64[np.ndarray, "m"], n: int
             ) -> tuple[int, tuple[bool, bool]] | None:
    """W, and whether columns and rows are joined at their ends, of the torus or cylinder whose neighbours the pairs
    are, if there is one; no pair may lack where there are such ends."""
    for W in (W for W in range(2, n + 1) if n % W == 0):
        H = n // W
        rows, columns = second // W - first // W, abs(first % W - second % W)
        across, round_rows = (rows == 0) & (columns == W - 1) & (W > 2), (rows == 0) & (columns == 1)
        around, down = (columns == 0) & (rows == H - 1) & (H > 2), (columns == 0) & (rows == 1)
        whole = [len(np.unique(first[pairs])) == count and len(np.unique(first[inner])) == n - count
                 for pairs, inner, count in ((around, down, W), (across, round_rows, H))]
        if (across | round_rows | around | down).all() and any(whole) and whole == [around.any(), across.any()]:
            return W, (whole[0], whole[1])
    return None


def _around(first: Int64[np.ndarray, "m"], second: Int64[np.ndarray, "m"], tables: Float64[np.ndarray, "m K K"], W: int,
            n: int) -> tuple[Float64[Tensor, "H W K K"], Float64[Tensor, "H W K K"]]:
    """The tables of every pixel and the one to its right, and below, around the borders."""
    row, K = first // W == second // W, tables.shape[-1]
    found = []
    for which, far in ((row, second - first > 1), (~row, second - first > W)):
        total, turned = np.zeros((n, K, K)), which & far
        np.add.at(total, first[which & ~far], tables[which & ~far])
        np.add.at(total, second[turned], tables[turned].transpose(0, 2, 1))
        found.append(torch.from_numpy(total).reshape(n // W, W, K, K))
    return found[0], found[1]


def _view(tables: Float64[Tensor, "a b K K"]) -> Float64[Tensor, "a b K K"]:
    """One table seen from every site, where all are equal; methods are faster on such grids."""
    if tables.numel() == 0 or not bool((tables == tables[0, 0]).all()):
        return tables.contiguous()
    return tables[0, 0].clone().expand(tables.shape)
