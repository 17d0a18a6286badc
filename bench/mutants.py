"""Faults put into the code by cosmic-ray, and how many of them the tests notice.

    make mutants                                  # the lines that differ from the last commit
    make mutants ARGS="--since v0.1.0 --most 30"  # what changed since then, 30 faults a file, drawn at random
    make mutants ARGS="models/grid.py --most 20"  # a whole file

Every fault is put into a copy of the tree, so that an interruption leaves nothing behind. A file's tests are those
that import it, and those of its folder in tests/. Why cosmic-ray: mutmut calls every function through a trampoline
of its own, which numba cannot compile.
"""

from __future__ import annotations

import argparse
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import WorkerOutcome, WorkResult

ROOT = Path(__file__).parent.parent
NOT_MUTATED = ("tests/", "bench/", "examples/", "checks/zoo/", "checks/right/")
EQUIVALENT = ["core/ReplaceBinaryOperator_BitOr_.*"]  # int | None of an annotation, which nobody evaluates
TIMEOUT = 120.0  # seconds of a file's tests


def changed(since: str) -> list[str]:
    """The files of the library that differ from the commit `since`."""
    said = subprocess.run(["git", "diff", "--name-only", "--diff-filter=d", since, "--", "*.py"], cwd=ROOT, check=True,
                          capture_output=True, text=True).stdout.split()
    return [name for name in said if not name.startswith(NOT_MUTATED)]


def tests_of(file: str) -> list[str]:
    """The test files that import a file, and those of its own folder; the nearest first."""
    module = file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    package, _, name = module.rpartition(".")
    imports = re.compile(rf"^\s*(from {re.escape(module)} |import {re.escape(module)}\b"
                         rf"|from {re.escape(package or '.')} import .*\b{name}\b)", re.M)
    own = ROOT / "tests" / Path(file).parent
    found = [p for p in sorted((ROOT / "tests").rglob("test_*.py")) if imports.search(p.read_text()) or p.parent == own]
    return [str(p.relative_to(ROOT)) for p in sorted(found, key=lambda p: (p.parent != own, name not in p.stem))]


def config(file: str, since: str | None) -> str:
    """The settings of cosmic-ray for one file, as TOML."""
    tests = tests_of(file) or ["tests"]
    command = shlex.join([sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-header", *tests])
    return f"""[cosmic-ray]
module-path = ["{file}"]
timeout = {TIMEOUT}
excluded-modules = []
test-command = '''{command}'''
[cosmic-ray.distributor]
name = "local"
[cosmic-ray.filters.operators-filter]
exclude-operators = {EQUIVALENT}
[cosmic-ray.filters.git-filter]
branch = "{since or ""}"
"""


def draw(session: Path, most: int, seed: int) -> None:
    """Leaves at most so many faults of a session, drawn at random."""
    with use_db(session, WorkDB.Mode.open) as db:
        pending = sorted(item.job_id for item in db.pending_work_items)
        for job in random.Random(seed).sample(pending, max(0, len(pending) - most)):
            db.set_result(job, WorkResult(worker_outcome=WorkerOutcome.SKIPPED))


def judged(copy: Path, file: str, since: str | None, most: int, seed: int) -> tuple[int, int]:
    """(noticed, put in) of one file; what survived is printed as a difference."""
    settings, session = Path("mutants.toml"), Path("mutants.sqlite")
    (copy / session).unlink(missing_ok=True)
    (copy / settings).write_text(config(file, since))
    tools = Path(sys.executable).parent
    made = [f"cosmic-ray init {settings} {session}", f"cr-filter-operators {session} {settings}"]
    for command in [*made, *([f"cr-filter-git --config {settings} {session}"] if since else [])]:
        tool, *words = command.split()
        subprocess.run([str(tools / tool), *words], cwd=copy, check=True, capture_output=True)
    draw(copy / session, most, seed)
    subprocess.run([str(tools / "cosmic-ray"), "exec", str(settings), str(session)], cwd=copy, check=True)
    with use_db(copy / session, WorkDB.Mode.open) as db:
        results = [r for _, r in db.completed_work_items if r.worker_outcome != WorkerOutcome.SKIPPED]
    survived = [r for r in results if r.is_killed is False]
    for result in survived:
        print(result.diff or "", flush=True)
    return len(results) - len(survived), len(results)


def copied(folder: Path) -> Path:
    """The tree as it is, in a git worktree of its own."""
    copy = folder / "tree"
    subprocess.run(["git", "worktree", "add", "--quiet", "--detach", str(copy)], cwd=ROOT, check=True)
    names = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True,
                           capture_output=True, text=True).stdout.splitlines()
    for name in (n for n in names if (ROOT / n).is_file()):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy / name)
    return copy


def report(counts: Iterable[tuple[str, int, int]]) -> None:
    """A line each file, and the whole."""
    rows = list(counts)
    for name, noticed, put in [*rows, ("all", sum(r[1] for r in rows), sum(r[2] for r in rows))]:
        print(f"{name}: {noticed} of {put} faults noticed" + (f" ({100 * noticed / put:.0f}%)" if put else ""))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", nargs="*", help="whole files (default: the lines that changed)")
    parser.add_argument("--since", default="HEAD", metavar="COMMIT", help="what the tree is compared with")
    parser.add_argument("--most", type=int, default=50, help="faults a file")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    args = parser.parse_args()
    since = None if args.files else args.since
    with tempfile.TemporaryDirectory() as folder:
        copy = copied(Path(folder))
        try:
            files = args.files or changed(args.since)
            report([(file, *judged(copy, file, since, args.most, args.seed)) for file in files])
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(copy)], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
