"""Results, in memory or found by file or folder, each with a short label of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from comparison import measures
from comparison.saved import SWEEP, Saved
from errors import InputError
from files import read_json
from inference.result import Result

FACTORS = ("U_mean", "U_var", "V_mean", "V_var")  # never compared: known only up to rotation
Given = Path | str | Result | Saved
TOLD_BY = {"features": "features", "ordinal": "levels", "time": "calendar"}  # rungs, by what models say
IN_NAMES = ("rank", "seed", "method", "guide", "kernel", "model", "biases")  # what a label says anyhow


def read(given: Sequence[Given]) -> tuple[list[Saved], list[str]]:
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
        elif not isinstance(one, str | Path):
            raise InputError(f"{one!r} is not a result: give a Result, a .nc file that a run wrote, or a run's folder")
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
    facts = result.facts
    if not (isinstance(facts.get("problem"), str) and isinstance(facts.get("model"), dict)
            and isinstance(facts.get("data"), dict) and all(isinstance(s, dict) for s in facts["data"].values())):
        raise InputError(f"{path or result.name} does not say of what model and data it is, as an older version wrote "
                         f"it: run it again to compare it")
    light = {name: value for name, value in result.expected.items() if name not in FACTORS}
    return Saved(path, replace(result, draws={}, groups={}, expected=light), measures.quantities(result))


def cells(folder: Path) -> Mapping[str, Mapping[str, str]]:
    """The settings of every cell of the sweep in that folder; nothing where there is none."""
    try:
        found = read_json(folder / SWEEP)
    except (OSError, InputError):
        return {}
    cells = found.get("cells") if isinstance(found, dict) else None
    if not isinstance(cells, dict) or not all(isinstance(settings, dict) for settings in cells.values()):
        return {}
    return cells if all(isinstance(v, str) for settings in cells.values() for v in settings.values()) else {}


def labelled(results: Sequence[Saved]) -> list[Saved]:
    """Each with a short label of its own: the method, and what else tells it from the others."""
    def words(saved: Saved) -> dict[str, str]:
        model, settings = saved.model, saved.settings
        rungs = "+".join([n.replace("_", "-") for n, v in model.items() if v is True]
                         + [rung for rung, told in TOLD_BY.items() if model.get(told)])
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
