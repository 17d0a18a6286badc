"""What Problem 1 is run on: images and grid files, as models with the tasks of their methods."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from data import beside, grid_files, images
from data.pictures import Picture
from errors import InputError
from experiments.problem1.request import GRIDS, Request
from inference.job import Plan
from inference.method import Family
from models.grid import GridMRF, distinct
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
    clean: np.ndarray | None  # (H, W) labels, where the truth is known; -1 where it is not
    folder: Path  # below the run's own
    palette: tuple[str, ...] = ()  # '#rrggbb' of every label, where the image has colours of its own
    said: tuple[str, ...] = ()  # what was made of the image
    beta: float = 1.0  # by which the potentials have been multiplied

    @property
    def large(self) -> bool:
        H, W, _ = self.model.shape
        return H * W > LARGE_PIXELS

    def share_wrong(self, marginals: np.ndarray | None, unobserved: bool = False) -> float | None:
        """Of the pixels whose truth is known, all or the unobserved, the share whose most probable label is not it."""
        if self.clean is None or marginals is None or (unobserved and self.observed is None):
            return None
        counted = self.clean >= 0
        if unobserved and self.observed is not None:
            counted &= ~self.observed.any(-1).numpy()
        return float((marginals.argmax(-1) != self.clean)[counted].mean()) if counted.any() else None

    @property
    def favour(self) -> float:
        """By how many nats equal neighbours are likelier than others, on average over edges and labels."""
        K = self.model.shape[2]
        tables = [distinct(t) for t in (self.model.right, self.model.down) if t.numel()]
        if not tables or any(self.model.forbids[name] for name in ("right", "down")):
            return 0.0
        gaps = [(t.diagonal(dim1=-2, dim2=-1).mean(-1) * K - t.mean((-2, -1)) * K).mean() / (K - 1) for t in tables]
        return float(sum(gaps) / len(gaps))

    @property
    def beta_that_mixes(self) -> float | None:
        """The --beta at which neighbours are just below the transition of a Potts grid, log(1 + sqrt K) nats; None
        where they are weaker already. Source: F. Wu, Rev. Mod. Phys. 54 (1982) 235."""
        transition = np.log1p(np.sqrt(self.model.shape[2]))
        if self.favour <= transition:
            return None
        return float(f"{0.95 * self.beta * transition / self.favour:.1g}")

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
        stem, picture, clean = Path(name).stem, None, None
        if Path(name).suffix.lower() in GRIDS:
            model = grid_files.read_grid(name)
        else:
            picture = pictured(name, request)
            clean = known(name, picture, request)
            model = GridMRF.potts(picture.image, request.evidence, coupling)
        case = Case(stem, model.scaled(request.beta).to(device), picture.image if picture else None, clean,
                    Path(stem if found else ""), picture.palette if picture else (),
                    tuple(picture.said()) if picture else (), request.beta)
        found.append((case, request.chosen(methods)))
    return found


def pictured(name: str, request: Request) -> Picture:
    """The image, with what is masked taken out of it."""
    picture = images.load_picture(name, request.labels, list(request.palette) or None, request.seed_of_data)
    return picture.without(beside.read_mask(request.mask)) if request.mask else picture


def known(name: str, picture: Picture, request: Request) -> np.ndarray | None:
    """The clean image: somebody's file, or what was drawn here."""
    if request.truth:
        return beside.read_labels(request.truth, picture)
    if name not in images.BUILTIN or (name == "small" and not request.mask):
        return None
    return images.clean(name).numpy()


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
        images.write_image(path, case.observed, palette=case.palette)
    return f"{case.name} is in {path}" + (f"; log Z = log Z of the file + {scale}" if scale else "")
