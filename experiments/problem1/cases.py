"""What Problem 1 is run on: images and grid files from the command line, as models with their methods."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from torch import Tensor

from data import grid_files, images
from errors import InputError
from inference import load
from inference.method import Method
from models.grid import GridMRF
from runs import folder
from runs.runner import SET, device

LARGE = ("mean_field", "loopy_bp", "gibbs")  # what runs on an image of any size
DEFAULT_CASES = (("small", None), ("spiral", LARGE))
OUTSIDE = Path(__file__).parents[2] / "shared" / "data"  # used where it is there


@dataclass(frozen=True)
class Case:
    """One image, or grid, and the methods to run on it."""

    name: str
    model: GridMRF
    observed: Tensor | None  # (H, W, K) indicators; None for a grid file
    clean: np.ndarray | None  # (H, W) labels, where the truth is known
    methods: list[Method]
    insist: bool  # the user named the methods: a refusal is an error
    folder: Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("problem 1").add_argument
    add("--image", metavar="IMAGE", help="small, spiral, flag, bullseye, or a .npy, .png, .uai or .fg file "
        "(default: small, then spiral)")
    add("--labels", type=int, metavar="K", help="number of labels (default: what the image has)")
    add("--palette", nargs="+", metavar="COLOUR", help="colours of the labels of a PNG, as '#rrggbb' '#rrggbb' ...")
    add("--evidence", type=float, default=10.0, help="log-potential of a label that was observed (default 10)")
    add("--coupling", default="10,2", metavar="A,B,...",
        help="log-potentials of neighbours by label distance 0, 1, ... (default 10,2), "
        "or the whole table, rows separated by semicolons")
    add("--beta", type=float, default=1.0, help="inverse temperature: multiplies all log-potentials (default 1)")
    add("--method", action="append", metavar="NAME|FILE.py", help="a method by name or from a file; repeatable")
    add("--set", action="append", default=[], metavar="OPTION=VALUE", help=SET)
    add("--schedule", help="order of the updates, for methods that have a choice (see --list NAME)")
    add("--damping", type=float, help="share of the old value kept in an update, from 0 to below 1")
    add("--sweeps", type=int, help="default 30; for MCMC 2,000 on small images and 100 on large ones")
    add("--chains", type=int, help="for MCMC (default 4 on small images, 2 on large ones)")
    add("--seed", type=int, default=0)
    add("--data-seed", type=int, help=folder.DATA_SEED)
    add("--bare", action="store_true", help=folder.BARE)
    add("--device", default="cpu", help="cpu or cuda")
    add("--export", type=Path, metavar="FILE",
        help="write the image as .npy or .png, or the whole model as .uai, and stop")
    add("--outside", type=Path, metavar="DIR", default=OUTSIDE if OUTSIDE.is_dir() else None,
        help="a directory with the grids that others have solved (uai/, fg/), for the checkpoints that use them")


def cases(args: argparse.Namespace) -> list[Case]:
    coupling = _coupling(args.coupling)
    if not all(np.isfinite([args.evidence, args.beta])):
        raise InputError("--evidence and --beta must be finite numbers")
    where = device(args.device)
    wanted = ((args.image, None),) if args.image else DEFAULT_CASES
    found: list[Case] = []
    for name, methods in wanted:
        observed, clean = None, None
        if Path(name).suffix.lower() in (".uai", ".fg"):
            model = grid_files.read_grid(name)
        else:
            observed = images.load_image(name, args.labels, args.palette,
                                         args.seed if args.data_seed is None else args.data_seed)
            clean = images.clean(name).numpy() if name in images.BUILTIN and name != "small" else None
            model = GridMRF.potts(observed, args.evidence, coupling)
        chosen = args.method or methods or load.names("grid")
        stem = Path(name).stem
        found.append(Case(stem, model.scaled(args.beta).to(where), observed, clean,
                          [load.method("grid", m) for m in chosen], bool(args.method),
                          Path() if not found else Path(stem)))
    return found


def export(case: Case, path: Path, console: Console) -> int:
    if path.exists():
        raise InputError(f"{path} exists already: give --export the name of a new file")
    if path.suffix.lower() == ".uai":
        scale = grid_files.write_grid(path, case.model)
        said = f"; log Z = log Z of the file + {scale}" if scale else ""
    elif case.observed is None:
        raise InputError(f"{case.name} is a grid without an image: export it as .uai")
    else:
        images.write_image(path, case.observed)
        said = ""
    console.print(f"{case.name} is in {path}{said}", soft_wrap=True, highlight=False)
    return 0


def _coupling(text: str) -> list[float] | list[list[float]]:
    """--coupling: numbers by label distance, or a whole table with its rows separated by semicolons."""
    try:
        rows = [[float(word) for word in row.split(",")] for row in text.split(";")]
    except ValueError:
        rows = [[np.nan]]
    if not all(np.isfinite(row).all() and len(row) == len(rows[0]) for row in rows):
        raise InputError(f"--coupling must be finite numbers by label distance, like 10,2, or a square table, "
                         f"like '10,2;2,10', not '{text}'")
    return rows[0] if len(rows) == 1 else rows
