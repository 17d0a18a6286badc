"""The image, the model or its exact marginals, as a file for other programs."""

from __future__ import annotations

from pathlib import Path

from data import grid_written, images
from errors import InputError
from experiments.problem1.cases import Case
from inference import load
from inference.drive import drive
from inference.job import Plan

PICTURES, MODELS, ANSWERS = (".npy", ".png"), (".uai", ".fg"), (".mar",)
EXACT = "strip"


def export(case: Case, path: Path) -> str:
    """Write the image, the model or its marginals; says where they are."""
    if path.exists():
        raise InputError(f"{path} exists already: give --export the name of a new file")
    kind = path.suffix.lower()
    if kind not in PICTURES + MODELS + ANSWERS:
        raise InputError(f"--export {path}: end its name in .npy or .png (the image), .uai or .fg (the model) or .MAR "
                         f"(its exact marginals)")
    if kind in ANSWERS:
        exact = drive(load.method("grid", EXACT), case.model, None, Plan(1, draws=0))
        grid_written.write_marginals(path, exact.expected["labels"])
        return f"{case.name}'s marginals by {EXACT} are in {path}; log Z = {exact.log_evidence!r}"
    scale = 0.0
    if kind in MODELS:
        scale = grid_written.write_grid(path, case.model)
    elif case.observed is None:
        raise InputError(f"{case.name} is a grid without an image: export it as .uai or .fg")
    else:
        images.write_image(path, case.observed, palette=case.palette)
    return f"{case.name} is in {path}" + (f"; log Z = log Z of the file + {scale}" if scale else "")
