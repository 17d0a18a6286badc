"""Are two folders of results the same? Every array of every .nc in both, to the bit; wall times aside.

    python bench/same.py BEFORE AFTER
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from inference.result import Result

GROUPS = ("draws", "expected", "trace")


def differences(before: Path, after: Path) -> tuple[int, list[str]]:
    """How many arrays were compared, and a line for every one that differs or is in one of the two only."""
    compared, found = 0, []
    names = [{p.relative_to(folder) for p in folder.rglob("*.nc")} for folder in (before, after)]
    found += [f"{name} is in one of the two only" for name in sorted(names[0] ^ names[1])]
    for name in sorted(names[0] & names[1]):
        a, b = Result.load(before / name), Result.load(after / name)
        for group in GROUPS:
            x, y = getattr(a, group), getattr(b, group)
            found += [f"{name}: {group} {key} is in one of the two only" for key in sorted(x.keys() ^ y.keys())]
            compared += len(x.keys() & y.keys())
            found += [f"{name}: {group} {key} differs" for key in sorted(x.keys() & y.keys())
                      if x[key].dtype != y[key].dtype or not np.array_equal(x[key], y[key], equal_nan=True)]
    return compared, found


if __name__ == "__main__":
    count, lines = differences(*map(Path, sys.argv[1:3]))
    print("\n".join(lines) or f"all {count} arrays are the same")
    sys.exit(bool(lines) or not count)
