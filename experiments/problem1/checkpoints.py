"""The checkpoints of Problem 1: our numbers against the reference's, and against other people's answers.

Reference: the course's published solution, Homework 4 of Harvard CS281 (2017), equations (1)-(8);
where it prints fewer digits than float64 has, the same recursion carried out in float64.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from data import grid_files, images
from errors import InputError
from inference import load
from inference.drive import drive
from inference.grid.mean_field import elbo_gradient
from inference.job import Plan
from inference.result import Result
from models.grid import GridMRF
from runs.records import Checkpoint

EXACT = [[5.79905571e-12, 1.95516261e-15, 5.79905571e-12],
         [1.51930154e-08, 6.56942344e-12, 1.51930154e-08],
         [9.97476218e-01, 9.97515359e-01, 9.97476218e-01]]
LOG_Z = 186.00257856088436
MEAN_FIELD = [[5.10909027e-12, 1.71390843e-15, 5.10909027e-12],
              [1.52189210e-08, 5.10909027e-12, 1.52189210e-08],
              [9.99954602e-01, 9.99999985e-01, 9.99954602e-01]]
LOOPY_BP = [[5.79881945e-12, 1.71418507e-15, 5.79881945e-12],
            [1.51930130e-08, 6.56530139e-12, 1.51930130e-08],
            [9.97476218e-01, 9.97515359e-01, 9.97476218e-01]]
LOOPY_BP_PRINTED = [[5.79881973e-12, 1.71418509e-15, 5.79881973e-12],
                    [1.51930125e-08, 6.56530103e-12, 1.51930125e-08],
                    [9.97476217e-01, 9.97515360e-01, 9.97476217e-01]]
EXACT_METHODS = ("brute_force", "variable_elimination_pgmpy", "junction_tree_pgmpy", "strip")


@dataclass(frozen=True)
class Outside:
    """A grid with an answer by somebody else, relative to the directory that holds it."""

    path: str
    log_Z: float
    log_Z_digits: float
    log_Z_errors: dict[str, tuple[float, float]]  # method -> (their error of log Z, half a unit of its last digit)


OUTSIDE = (
    Outside("uai/grid-12.uai", 697.8812, 5e-5, {}),
    Outside("uai/grid-15.uai", 671.739257, 5e-7, {}),
    Outside("uai/grid-16.uai", 1531.487263, 5e-7, {}),
    Outside("fg/testfast.fg", 14.328233281, 5e-10,
            {"loopy_bp": (7.187e-4, 5e-8), "mean_field": (-1.235, 5e-4), "generalised_bp": (-1.179e-5, 5e-9)}),
)
METHODS_OUTSIDE = {"strip"} | {name for grid in OUTSIDE for name in grid.log_Z_errors}
LIBDAI_TESTFAST = (0.3500, 0.6447, 0.4997, 0.3049, 0.3699, 0.6401, 0.5793, 0.5437,
                   0.2800, 0.7083, 0.5776, 0.5375, 0.3542, 0.9038, 0.2408, 0.6910)  # p(x = 0), 4 digits


def run(methods: Iterable[str], reference: bool, outside: Path | None = None) -> list[Checkpoint]:
    """The checkpoints of those of our methods that were asked for: on the reference's image, in a run about it, and on
    grids that others have solved."""
    methods = set(methods)
    found = on_small(methods) if reference else []
    if outside is None:
        return found
    return found + [c for grid in available(outside) for c in _outside(grid, methods, outside / grid.path)]


def on_small(methods: set[str]) -> list[Checkpoint]:
    """Those of the reference."""
    model = GridMRF.potts(images.load_image("small"))
    found: list[Checkpoint] = []
    exact = {name: _on_small(name, model) for name in EXACT_METHODS if name in methods}
    for name, result in exact.items():
        found.append(_marginals("1.1", f"p(y=1) on small, {name}", result, EXACT, 1e-8))
        log_Z = _log_Z(result)
        found.append(Checkpoint.close("1.1", f"log Z of small, {name}", log_Z, LOG_Z, abs(log_Z / LOG_Z - 1), 1e-8,
                                      "relative difference"))
    if len(exact) > 1:
        apart = max(_relative(a.expected["labels"], b.expected["labels"])
                    for a in exact.values() for b in exact.values())
        found.append(Checkpoint.close("1.1", f"{len(exact)} exact methods, largest relative disagreement",
                                      apart, 0.0, apart, 1e-8, "relative difference"))
    if "mean_field" in methods:
        fixed = drive(load.method("grid", "mean_field"), model, None, Plan(200, tolerance=1e-15, draws=0))
        q = torch.from_numpy(fixed.expected["labels"])
        slope = float(elbo_gradient(q, model.field(), model).abs().max())
        found.append(Checkpoint.close("1.2", "slope of the free energy at the fixed point", slope, 0.0, slope, 1e-8,
                                      "slope"))
        found.append(_marginals("1.3", "mean field on small, 30 sweeps", _on_small("mean_field", model),
                                MEAN_FIELD, 1e-8))
    if "loopy_bp" in methods:
        beliefs = _on_small("loopy_bp", model)
        found.append(_marginals("1.4", "loopy BP on small, 30 sweeps, in float64", beliefs, LOOPY_BP, 1e-7))
        found.append(_marginals("1.4", "loopy BP on small, as printed", beliefs, LOOPY_BP_PRINTED, 1e-6))
    return found


def available(folder: Path) -> list[Outside]:
    """Those of the outside grids that are in `folder`."""
    return [grid for grid in OUTSIDE if (folder / grid.path).is_file()]


def _on_small(name: str, model: GridMRF) -> Result:
    options = {"schedule": "synchronous"} if name == "mean_field" else {}  # as the reference has it
    return drive(load.method("grid", name), model, None, Plan(30, draws=0), options)


def _marginals(id: str, what: str, result: Result, reference: list[list[float]], bound: float) -> Checkpoint:
    ours, theirs = result.expected["labels"][..., 1], np.array(reference)
    worst = np.unravel_index(np.argmax(np.abs(ours / theirs - 1)), theirs.shape)
    return Checkpoint.close(id, what, float(ours[worst]), float(theirs[worst]), _relative(ours, theirs), bound,
                            "relative difference")


def _log_Z(result: Result) -> float:
    assert result.log_evidence is not None, f"{result.name} reports no log Z"
    return result.log_evidence


def _relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.abs(ours / theirs - 1).max())


def _outside(grid: Outside, methods: set[str], path: Path) -> list[Checkpoint]:
    model = grid_files.read_grid(path)
    name = Path(grid.path).name
    found = []
    if "strip" in methods:
        exact = drive(load.method("grid", "strip"), model, None, Plan(1, draws=0))
        log_Z = _log_Z(exact)
        found.append(Checkpoint.close("outside", f"ln Z of {name}, strip", log_Z, grid.log_Z,
                                      abs(log_Z - grid.log_Z), 1e-6 + grid.log_Z_digits))
        ours = exact.expected["labels"]
        theirs, rounding = _published(path, ours.shape)
        worst = np.unravel_index(np.argmax(np.abs(ours - theirs)), ours.shape)
        found.append(Checkpoint.close("outside", f"marginals of {name}, strip", float(ours[worst]),
                                      float(theirs[worst]), float(np.abs(ours - theirs).max()), 1e-6 + rounding))
    for method, (error, digits) in grid.log_Z_errors.items():
        if method in methods:
            result = drive(load.method("grid", method), model, None, Plan(10_000, draws=0, tolerance=1e-12))
            gap = _log_Z(result) - grid.log_Z
            found.append(Checkpoint.close("outside", f"error of {method}'s ln Z of {name}, as libDAI's", gap, error,
                                          abs(gap - error), digits + grid.log_Z_digits))
    return found


def _published(path: Path, shape: tuple[int, ...]) -> tuple[np.ndarray, float]:
    """Other people's marginals, and half a unit of their last digit."""
    if path.suffix == ".fg":
        zero = np.array(LIBDAI_TESTFAST).reshape(shape[:2])
        return np.stack([zero, 1 - zero], -1), 5e-5
    try:
        return np.asarray(grid_files.read_marginals(path.with_name(path.name + ".MAR"))).reshape(shape), 5e-7
    except OSError as error:
        raise InputError(f"the marginals of {path} cannot be read: {error}") from None
