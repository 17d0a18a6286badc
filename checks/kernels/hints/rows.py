"""Is it off only in rows of one sort, as those with one rating? By the residuals of single rows, on all problems."""

from __future__ import annotations

from checks.kernels.trial import Trial

OFF, CLEAN = 6.0, 4.5  # |z| of a row that is off, and of one that is not
SHARE = 0.4  # of the worst row's z: what hangs on a row that is off is itself a little off
ENOUGH = 2  # rows


def only(trials: list[Trial]) -> list[str]:
    """The sort in a sentence, where all rows that are off are of it, and all of it are off."""
    worst: dict[tuple[str, str], list[float]] = {}
    for trial in trials:
        for (side, sort), z in of(trial):
            worst.setdefault((side, sort), []).append(z)
    for side in dict.fromkeys(side for side, _ in worst):
        found = {sort: z for (s, sort), z in worst.items() if s == side}
        top = max(max(z) for z in found.values())
        off = [sort for sort, z in found.items() if max(z) > max(OFF, SHARE * top)]
        rest = [z for sort, all_z in found.items() if sort not in off for z in all_z]
        if len(off) == 1 and len(found[off[0]]) >= ENOUGH and min(found[off[0]]) > CLEAN and rest:
            return [f"only {side} {off[0]} are off by themselves: all {len(found[off[0]])} of them on the test "
                    f"problems, and none of {len(rest)} others"]
    return []


def of(trial: Trial) -> list[tuple[tuple[str, str], float]]:
    """Side and sort of every row that is measured, and the largest |z| of its residuals."""
    sorts = trial.problem.sorts(trial.problem.model, trial.data)
    if not sorts or not trial.n:
        return []
    assert trial.scale is not None
    z = trial.upto(trial.n).z.abs().nan_to_num(0).amax(0).tolist()
    found: dict[str, float] = {}
    for (quantity, where), value in zip(trial.scale.names, z, strict=True):
        row = where.partition(",")[0]
        if row in sorts and quantity.startswith(("residual", "squared residual")):
            found[row] = max(found.get(row, 0.0), value)
    return [(sorts[row], value) for row, value in found.items()]
