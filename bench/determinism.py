"""Are the arrays the same, whatever they were computed on? Every method of every kind, with every value of its options
that are words, on small and large problems: once each in two processes that differ in all that must not matter,

    threads (1, 2), hash seed, directory, compile cache (as it is, empty with --cold)

and then every array compared to the bit. Exit status 1 if one differs.

    python bench/determinism.py [--only METHOD] [--cold] [--keep DIR]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import torch
from same import differences

from data.images import load_image
from errors import InputError
from inference import load
from inference.drive import drive
from inference.job import Plan, generator
from inference.method import Family, Method
from inference.options import choices
from inference.threads import threads
from models.factorization import Factorization
from models.grid import GridMRF
from models.ladder import Ladder
from models.model import Data, Model

HERE = Path(__file__).resolve()
STEPS = 3


@dataclass(frozen=True)
class Case:
    """A method, how it is asked to work, and on what."""

    name: str
    method: Method
    model: Model
    data: Data
    options: Mapping[str, Any]


def problems(kind: str) -> dict[str, tuple[Model, Data]]:
    """By name: small ones, and some so large that torch and the compiled kernels use a second thread."""
    rng = generator(0, "problems")
    if kind == "grid":
        unary, right, down = (torch.randn(*shape, generator=rng, dtype=torch.float64)
                              for shape in ((2, 3, 3), (2, 2, 3, 3), (1, 3, 3, 3)))
        labels = torch.randint(3, (120, 150), generator=rng)
        image = torch.nn.functional.one_hot(labels, 3)
        return {"small": (GridMRF.potts(load_image("small")), None),
                "random 2 x 3": (GridMRF(unary, right, down), None),
                "noise 120 x 150": (GridMRF.potts(image, 1.0, (0.8, 0.1)), None)}
    models: dict[str, Factorization] = {
        "6 x 4": Factorization(6, 4, 2), "40,000": Factorization(2000, 100, 5),
        "40,000 by biases": Ladder(2000, 100, 5, biases=True),
        "40,000 by all": Ladder(2000, 100, 5, noise=True, hierarchical=True, biases=True)}
    return {name: _rated(model, rng) for name, model in models.items()}


def _rated(model: Factorization, rng: torch.Generator) -> tuple[Model, Data]:
    """A fifth of all pairs, or of a small model half, with ratings drawn from it."""
    share = 0.2 if model.num_users > 100 else 0.5
    pairs = (torch.rand(model.num_users, model.num_items, generator=rng) < share).nonzero(as_tuple=True)
    known = type(model)(**{**vars(model), "pairs": pairs})
    return known, known.simulate(rng, known.prior(rng))


def cases(only: str | None) -> Iterator[Case]:
    for kind in load.kinds():
        for problem, (model, data) in problems(kind).items():
            for name in load.names(kind):
                if only in (None, name):
                    method = load.method(kind, name)
                    for options in ({}, *words(method)):
                        said = ",".join(f"{k}={v}" for k, v in options.items())
                        yield Case(f"{name}{':' * bool(said)}{said} on {problem}", method, model, data, options)


def words(method: Method) -> Iterator[dict[str, Any]]:
    """Every value but the default of every option that is a word or a yes or no, one at a time."""
    for name, parameter in method.options.items():
        values = (False, True) if parameter.annotation is bool else choices(parameter.annotation)
        yield from ({name: value} for value in values if value != parameter.default)


def compute(folder: Path, only: str | None) -> None:
    """The result of every case below `folder`; what a method refuses has none."""
    refused = 0
    for case in cases(only):
        plan = Plan(STEPS, 2, 1, draws=5, seed=3) if case.method.family is Family.MCMC else Plan(STEPS, draws=5, seed=3)
        out = folder / case.name.replace(" ", "_")
        try:
            result = drive(case.method, case.model, case.data, plan, case.options)
        except InputError:
            refused += 1
            continue
        out.mkdir(parents=True)
        result.save(out)
    print(f"{threads()} thread(s): {refused} refused, {sum(1 for _ in folder.iterdir())} computed", flush=True)


def elsewhere(folder: Path, only: str | None, cores: int, cwd: Path, cold: bool) -> None:
    """`compute` in a process of its own."""
    words = [sys.executable, str(HERE), "--into", str(folder), *(["--only", only] if only else [])]
    environment = os.environ | {"OMP_NUM_THREADS": str(cores), "PYTHONHASHSEED": str(cores)}
    with tempfile.TemporaryDirectory() as cache:
        if cold:
            environment["NUMBA_CACHE_DIR"] = cache
        subprocess.run(words, cwd=cwd, env=environment, check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="METHOD")
    parser.add_argument("--cold", action="store_true", help="the second process has an empty compile cache")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where the results go (default: nowhere)")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.into:
        compute(args.into, args.only)
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        base = (args.keep or Path(temporary)).resolve()
        elsewhere(base / "one", args.only, 1, HERE.parent.parent, cold=False)
        elsewhere(base / "two", args.only, 2, base, args.cold)
        count, lines = differences(base / "one", base / "two")
    print("\n".join(lines) or f"all {count} arrays are the same")
    return int(bool(lines) or not count)


if __name__ == "__main__":
    sys.exit(main())
