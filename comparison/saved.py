"""Results, in memory or found by file or folder; what they are of, and which of them may be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from comparison import measures
from errors import InputError
from inference.result import Result
from views.numbers import cell

FACTORS = ("U_mean", "U_var", "V_mean", "V_var")  # never compared: known only up to rotation
IN_NAMES = ("rank", "seed", "method", "guide", "kernel", "model", "biases")  # what a label says anyhow
SWEEP = "sweep.json"  # in the folder of a sweep: which options were swept, and their values by cell
PREDICTED = ("train", "test")  # the sets that must be the same, where there are ratings to predict; else all


@dataclass(frozen=True)
class Saved:
    """A result to compare, and the values that a sweep gave to its options.

    path    None for one that was never saved
    result  without its draws and factors, which may be large
    draws   of what is comparable, see `measures.quantities`
    """

    path: Path | None
    result: Result
    draws: np.ndarray | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    label: str = ""
    series: str = ""  # the label without the seed

    @property
    def problem(self) -> str:
        return str(self.result.facts["problem"])

    @property
    def where(self) -> str:
        """Its file, or what it is called in memory."""
        return str(self.path or self.label or self.result.name)

    @property
    def model(self) -> Mapping[str, Any]:
        """The model's class and what it believes, in numbers and words."""
        return self.result.facts["model"]

    @property
    def sets(self) -> Mapping[str, Mapping[str, Any]]:
        """Every set of data: its size and its fingerprint."""
        return self.result.facts["data"]

    @property
    def samples(self) -> int | None:
        """Draws of q behind a score."""
        return self.result.facts.get("samples") if self.result.family == "variational" else None

    @property
    def data(self) -> dict[str, str | None]:
        """Fingerprints of the sets that must be the same."""
        names = PREDICTED if "train" in self.sets else sorted(self.sets)
        return {name: self.sets.get(name, {}).get("fingerprint") for name in names}

    @property
    def target(self) -> str:
        """The same for results whose predictions can be ranked: one problem, one set of data."""
        return json.dumps([self.problem, self.data])

    @property
    def law(self) -> str:
        """The same for results of one posterior distribution, whose evidence can be ranked too."""
        return self.target + json.dumps(self.model, sort_keys=True)


def read(given: Sequence[Path | str | Result | Saved]) -> tuple[list[Saved], list[str]]:
    """These results, and those at these files and in these folders, labelled; and sentences about what was left out.

    Errors: InputError for a path without a result, and for a result that does not say what it is of.
    """
    found: dict[Path | int, Saved] = {}
    left = []
    for one in given:
        if isinstance(one, Saved):
            here = [one]
        elif isinstance(one, Result):
            here = [_of(one)]
        elif (path := Path(one)).is_dir():
            here, sentence = _folder(path)
            left += [sentence] if sentence else []
        elif path.suffix == ".nc" or not path.exists():
            here = [_of(Result.load(path), path)]
        else:
            raise InputError(f"{path} is not a saved result: give a .nc file that a run wrote, or a run's folder")
        for saved in here:
            found.setdefault(saved.path.resolve() if saved.path else id(one), saved)
    return labelled(list(found.values())), left


def _folder(path: Path) -> tuple[list[Saved], str | None]:
    """All results of a run or a sweep; of a run with several data sets, those of the same data as its main ones."""
    files = sorted(path.rglob("*.nc"), key=lambda p: (len(p.parts), str(p)))
    if not files:
        raise InputError(f"{path} holds no saved result (.nc): give the folder of a finished run")
    settings = cells(path)
    here = {f: replace(_of(Result.load(f), f), settings=settings.get(f.relative_to(path).parts[0], {})) for f in files}
    main = {s.target for f, s in here.items() if f.parent == path}
    if len(main) != 1:
        return list(here.values()), None
    kept = [s for s in here.values() if s.target in main]
    others = [str(f.relative_to(path)) for f, s in here.items() if s.target not in main]
    few = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
    return kept, f"Left out of {path}, as they are of other data: {len(others)} results ({few})." if others else None


def _of(result: Result, path: Path | None = None) -> Saved:
    if not {"problem", "model", "data"} <= result.facts.keys():
        raise InputError(f"{path or result.name} does not say of what model and data it is, as an older version wrote "
                         f"it: run it again to compare it")
    light = {name: value for name, value in result.expected.items() if name not in FACTORS}
    return Saved(path, replace(result, draws={}, expected=light), measures.quantities(result))


def cells(folder: Path) -> Mapping[str, Mapping[str, str]]:
    """The settings of every cell of the sweep in that folder; nothing where there is none."""
    try:
        return json.loads((folder / SWEEP).read_text()).get("cells", {})
    except (OSError, ValueError):
        return {}


def labelled(results: Sequence[Saved]) -> list[Saved]:
    """Each with a short label of its own: the method, and what else tells it from the others."""
    def words(saved: Saved) -> dict[str, str]:
        model, settings = saved.model, saved.settings
        rungs = "+".join(n for n, v in model.items() if v is True)
        return {"rank": f"K={model['rank']}" if "rank" in model else "", "model": rungs,
                "seed": f"seed {saved.result.seed}"} | {n: f"{n}={v}" for n, v in settings.items() if n not in IN_NAMES}

    said = [words(s) for s in results]
    telling = [n for n in dict.fromkeys(n for w in said for n in w) if len({w.get(n) for w in said}) > 1]

    def joined(leave: str) -> list[str]:
        return [", ".join(filter(None, (s.result.name, *(w.get(n, "") for n in telling if n != leave))))
                for s, w in zip(results, said, strict=True)]

    series = joined(leave="seed")
    labels = list(series) if len(set(series)) == len(series) else joined(leave="")
    for label in {label for label in labels if labels.count(label) > 1}:
        same = [k for k, other in enumerate(labels) if other == label]
        for k, ending in zip(same, endings([results[k].path for k in same]), strict=True):
            labels[k] = f"{label} ({ending})"
    return [replace(s, series=together, label=label)
            for s, label, together in zip(results, labels, series, strict=True)]


def endings(paths: Sequence[Path | None]) -> list[str]:
    """As much of the end of each file's folder as tells the files apart, or else of its own name too; numbers where
    one is no file.

    >>> endings([Path("a/rank1/x.nc"), Path("a/rank2/x.nc")]), endings([None, Path("a/x.nc")])
    (['rank1', 'rank2'], ['1', '2'])
    """
    files = [path.resolve() for path in paths if path]
    if len(files) < len(paths):
        return [str(k) for k in range(1, len(paths) + 1)]
    for depth in range(1, max(len(file.parts) for file in files) - 1):
        names = ["/".join(file.parent.parts[-depth:]) for file in files]
        if len(set(names)) == len(names):
            return names
    return [f"{file.parent.name}/{file.stem}" for file in files]


def check(results: Sequence[Saved]) -> None:
    """Results of several problems or data sets are refused, unless one sweep made them on purpose."""
    if not results:
        raise InputError("there is nothing to compare")
    first = results[0]
    for other in results[1:]:
        pair = f"{first.where} and {other.where}"
        if other.problem != first.problem:
            raise InputError(f"{pair} are of different problems ({first.problem} and {other.problem}): compare takes "
                             f"results of one problem")
        if other.target != first.target and not (first.settings and other.settings):
            raise InputError(f"{pair} are of different data ({_difference(first, other)}): neither their scores nor "
                             f"their evidence can be ranked; make them of the same data, with the same options")


def _difference(a: Saved, b: Saved) -> str:
    """The first set that differs, with its size and fingerprint on both sides."""
    name = next(n for n in {**a.data, **b.data} if a.data.get(n) != b.data.get(n))

    def said(saved: Saved) -> str:
        entry = saved.sets.get(name)
        if entry is None:
            return "none"
        sizes = [f"{cell(value)} {what}" for what, value in entry.items() if what != "fingerprint"]
        return ", ".join([*sizes[:1], str(entry.get("fingerprint"))])

    return f"the {name}{' set' * (name in PREDICTED)}: {said(a)}; and {said(b)}"


def same_model(results: Sequence[Saved]) -> None:
    """Evidence is ranked among results of one model and data only."""
    other = next((s for s in results if s.law != results[0].law), None)
    if other:
        a, b = results[0].model, other.model
        what = ", ".join(f"{n} {a.get(n)} and {b.get(n)}" for n in {**a, **b} if a.get(n) != b.get(n)) or "other data"
        raise InputError(f"the evidence of {results[0].where} and {other.where} cannot be ranked, as they are of "
                         f"different models ({what}): rank them by test_nll")
