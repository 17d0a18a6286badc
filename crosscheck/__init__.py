"""Crosscheck as a library: one model, many ways to infer it, each judged against the others and against exact answers.

    import crosscheck as cc

    model = cc.GridMRF.potts(cc.load_image("small"))
    exact, fast = cc.run("strip", model), cc.run("mean_field", model, schedule="sequential")
    cc.compare([exact, fast])
    cc.check("mean_field", model)

`docs/library.md` has the lines that a notebook needs, for each kind of model.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from checks.verdict import Verdict
from comparison.compare import Comparison, compare
from crosscheck.api import check, methods, run, split
from crosscheck.asserted import assert_right
from crosscheck.own import numbers, program
from crosscheck.predicted import predict
from crosscheck.source import code
from crosscheck.told import story
from data.grid_files import read_grid
from data.grid_written import write_grid
from data.images import load_image, write_image
from data.ratings import Split, load_ratings, subsample
from errors import InputError
from inference.job import Plan
from inference.method import Family, Info, Method
from inference.result import Result
from models.factorization import Factorization
from models.grid import GridMRF
from models.ladder import Ladder
from models.model import Model
from models.ordinal import fitted
from models.ordinal import named as factorization
from models.ratings import Ratings

if TYPE_CHECKING:
    from crosscheck import figures

__all__ = [
    "Comparison", "Factorization", "Family", "GridMRF", "Info", "InputError", "Ladder", "Method", "Model", "Plan",
    "Ratings", "Result", "Split", "Verdict", "assert_right", "check", "code", "compare", "factorization", "figures",
    "fitted", "load_image", "load_ratings", "methods", "numbers", "predict", "program", "read_grid", "run",
    "split", "story", "subsample", "write_grid", "write_image",
]


def __getattr__(name: str) -> ModuleType:
    """`figures` when it is first asked for: matplotlib takes a second."""
    if name == "figures":
        return importlib.import_module("crosscheck.figures")
    raise AttributeError(f"module 'crosscheck' has no attribute '{name}'")
