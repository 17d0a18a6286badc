"""What Problem 1 is run on: images and grid files, as models with the tasks of their methods."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from data import grid_files, images
from errors import InputError
from experiments.problem1.request import GRIDS, Request
from inference.job import Plan
from inference.method import Family
from models.grid import GridMRF
from runs.options import Fit
from runs.task import Task, trial

LARGE = ("mean_field", "loopy_bp", "gibbs")  # what runs on an image of any size
DEFAULT = (("small", ()), ("spiral", LARGE))  # images, and their methods where they are not all
EXPORTS = (".npy", ".png", ".uai")
LARGE_PIXELS = 10_000


@dataclass(frozen=True)
class Case:
    """One image, or grid."""

    name: str
    model: GridMRF
    observed: Tensor | None  # (H, W, K) indicators; None for a grid file
    clean: np.ndarray | None  # (H, W) labels, where the truth is known
    folder: Path  # below the run's own

    @property
    def large(self) -> bool:
        H, W, _ = self.model.shape
        return H * W > LARGE_PIXELS

    def plan(self, fit: Fit, request: Request) -> Plan:
        """How long a method runs, unless the request says it."""
        def given(asked: int | None, otherwise: int) -> int:
            return otherwise if asked is None else asked

        if fit.method.family is not Family.MCMC:
            return Plan(given(request.sweeps, 30), draws=10 if self.large else 100, seed=request.seed)
        sweeps = given(request.sweeps, 100 if self.large else 200 if fit.method.by == "pgmpy" else 2000)
        return Plan(sweeps, given(request.chains, 2 if self.large else 4), warmup=sweeps // 5, seed=request.seed)

    def tasks(self, fits: list[Fit], request: Request) -> tuple[list[Task], dict[str, str]]:
        """What can run; and why the rest cannot, by method. Errors: InputError where the user named the methods."""
        tasks: list[Task] = []
        refused: dict[str, str] = {}
        for fit in fits:
            task = Task(fit.method, self.model, None, self.plan(fit, request), fit.options, self.folder, self.name)
            try:
                trial(task)
                tasks.append(task)
            except InputError as error:
                if request.method:
                    raise
                refused[fit.name] = str(error)
        return tasks, refused


def cases(request: Request) -> list[tuple[Case, list[Fit]]]:
    """The images, with the methods to run on each."""
    coupling, device = request.table, request.place
    found: list[tuple[Case, list[Fit]]] = []
    for name, methods in ((request.image, ()),) if request.image else DEFAULT:
        observed, clean = None, None
        if Path(name).suffix.lower() in GRIDS:
            model = grid_files.read_grid(name)
        else:
            observed = images.load_image(name, request.labels, list(request.palette) or None, request.seed_of_data)
            clean = images.clean(name).numpy() if name in images.BUILTIN and name != "small" else None
            model = GridMRF.potts(observed, request.evidence, coupling)
        stem = Path(name).stem
        case = Case(stem, model.scaled(request.beta).to(device), observed, clean, Path(stem if found else ""))
        found.append((case, request.chosen(methods)))
    return found


def export(case: Case, path: Path) -> str:
    """Write the image or the model; says where it is."""
    if path.exists():
        raise InputError(f"{path} exists already: give --export the name of a new file")
    if path.suffix.lower() not in EXPORTS:
        raise InputError(f"--export {path}: end its name in .npy or .png (the image) or .uai (the model)")
    scale = 0.0
    if path.suffix.lower() == ".uai":
        scale = grid_files.write_grid(path, case.model)
    elif case.observed is None:
        raise InputError(f"{case.name} is a grid without an image: export it as .uai")
    else:
        images.write_image(path, case.observed)
    return f"{case.name} is in {path}" + (f"; log Z = log Z of the file + {scale}" if scale else "")
