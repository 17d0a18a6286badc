"""What Problem 1 is run on: images and grid files, as models with the tasks of their methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from data import beside, grid_files, images
from data.pictures import Picture
from errors import InputError
from experiments.problem1.request import Request
from inference.job import Plan
from inference.method import Family
from learning import potts
from learning.contrastive_divergence import by_contrastive_divergence
from learning.potts import Learned
from learning.unsupervised import by_em
from models.grid import GridMRF, distinct, pair_table
from runs.options import Fit
from runs.task import Task, trial

LARGE = ("mean_field", "loopy_bp", "gibbs")  # what runs on an image of any size
DEFAULT = (("small", ()), ("spiral", LARGE))  # images, and their methods where they are not all
LARGE_PIXELS, HUGE_PIXELS = 10_000, 500_000
COUPLING: dict[str | None, Callable[[np.ndarray, int], Learned]] = {
    None: potts.coupling, "likelihood": potts.by_likelihood, "pseudo_likelihood": potts.by_pseudo_likelihood,
    "contrastive_divergence": by_contrastive_divergence}


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
        H, W, _ = self.model.pixels
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
        if self.model.pixels != self.model.shape:
            return 0.0  # a cell's labels are those of several pixels
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
    named = str(request.image or request.unary or "")
    asked = [(made(name, Path(Path(name).stem if k else ""), request), methods)
             for k, (name, methods) in enumerate(((named, ()),) if named else DEFAULT)]
    return [(case, request.chosen(methods)) for case, methods in (limited(*pair, request) for pair in asked)]


def limited(case: Case, methods: tuple[str, ...], request: Request) -> tuple[Case, tuple[str, ...]]:
    """Of an image so large that most methods take hours those that do not, unless others are asked for."""
    H, W, _ = case.model.pixels
    if request.method or methods or H * W <= HUGE_PIXELS:
        return case, methods
    few = f"Unasked, only {', '.join(LARGE)} run on {H * W:,} pixels; others may take hours, and --method names them."
    return replace(case, said=(*case.said, few)), LARGE


def made(name: str, folder: Path, request: Request) -> Case:
    """The model of an image, a grid file or log-potentials, with what goes with it."""
    picture, told = None, ""
    if request.unary:
        model = of_unary(request.unary, request)
    elif grid_files.is_grid(name):
        model = grid_files.read_grid(name)
    else:
        picture = pictured(name, request)
        E, table = request.evidence, request.table
        if request.learn or request.learn_by:
            E, table, told = learned(name, picture, request)
        model = GridMRF.potts(picture.image, E, table)
    like = picture or Picture(model.unary.new_zeros(model.pixels))
    said, model = (*(picture.said() if picture else ()), *([told] if told else ())), model.scaled(request.beta)
    if model.pixels != model.shape:
        (H, W, _), (h, w, K) = model.pixels, model.shape
        said += (f"{name} is {H} x {W}, wrapped: it is inferred folded, as {h} x {w} cells of {K} labels, and shown by "
                 f"its own pixels.",)
    if request.clamp:
        known = clamps(request.clamp, like, model)
        model = images.named(request.clamp, partial(model.clamped, known))
        share = int((known >= 0).sum()) / known.numel()
        said += (f"{int((known >= 0).sum())} of {known.numel()} pixels ({100 * share:.3g}%) are known for certain.",)
    elif Path(f"{name}.evid").is_file():
        said += (f"{name}.evid beside it is not used; --clamp {name}.evid does.",)
    return Case(grid_files.stem(name), model.to(request.place), picture.image if picture else None,
                truth(name, like, request), folder, picture.palette if picture else (), said, request.beta)


def learned(name: str, picture: Picture, request: Request) -> tuple[float, list[float], str]:
    """Evidence and coupling of a noisy image, given its truth or not, and a sentence that says them."""
    K = picture.image.shape[2]
    observed = np.where(picture.image.sum(-1) == 1, picture.image.argmax(-1), -1)
    if request.learn:
        clean = beside.read_labels(request.learn, picture)
        E, J = potts.evidence(observed, clean, K), COUPLING[request.learn_by](clean, K)
    else:
        E, J = by_em(observed, K, request.seed)
    source = request.learn or name
    return E.value, [J.value], (f"Learned from {source}, in nats: evidence {E.value:.4g} ± {E.error:.2g} by {E.by}, "
                                f"coupling {J.value:.4g} ± {J.error:.2g} by {J.by}; --evidence "
                                f"{E.value:.4g} --coupling {J.value:.4g} gives them to another image.")


def of_unary(path: Path, request: Request) -> GridMRF:
    """A grid whose pixels have the log-potentials of a .npy (H, W, K), with --coupling between neighbours."""
    unary = images.named(path, lambda: images.read_array(path))
    if unary.ndim != 3 or unary.dtype.kind not in "fiu":
        raise InputError(f"{path}: log-potentials are (H, W, K) numbers, in nats, not {unary.dtype} of shape "
                         f"{unary.shape}")
    H, W, K = unary.shape
    pair = pair_table(request.table, K)
    return images.named(path, lambda: GridMRF(
        torch.from_numpy(unary.astype(np.float64)), pair.expand(H, max(W - 1, 0), K, K),
        pair.expand(max(H - 1, 0), W, K, K)))


def clamps(path: Path, like: Picture, model: GridMRF) -> Tensor:
    """Labels (H, W) that are known for certain, -1 elsewhere. Errors: InputError where there are none."""
    known = (grid_files.read_evidence(path, model) if path.suffix.lower() == ".evid"
             else torch.from_numpy(beside.read_labels(path, like)))
    if not bool((known >= 0).any()):
        raise InputError(f"--clamp {path} would change nothing: no pixel has a label in it")
    return known


def pictured(name: str, request: Request) -> Picture:
    """The image, with what is masked taken out of it."""
    picture = images.load_picture(name, request.labels, list(request.palette) or None, request.seed_of_data)
    if not request.mask:
        return picture
    mask = beside.read_mask(request.mask)
    return images.named(Path(request.mask), lambda: picture.without(mask))


def truth(name: str, picture: Picture, request: Request) -> np.ndarray | None:
    """The clean image: somebody's file, or what was drawn here."""
    if request.truth:
        return beside.read_labels(request.truth, picture)
    if name not in images.BUILTIN or (name == "small" and not request.mask):
        return None
    return images.clean(name).numpy()
