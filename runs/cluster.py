"""The cells of a sweep on the workers of a Dask scheduler, which may be other machines.

    scheduler      dask scheduler
    each worker    python -m dask worker ADDRESS --nthreads 1       where this program lies, in the same version

Dask, because workers may come and go: the scheduler gives the cells of a lost one to another, and one that comes later
takes part. A cell is an ordinary run in a process of its own on the worker, in a folder of its own there; what it wrote
comes back as bytes, so that no disk is shared. What it reads must lie at the same place there, and be the same.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import files
from errors import InputError, short
from inference import identity
from inference.interrupt import Asked
from runs import folder, started
from runs.cells import Cell
from runs.processes import PAUSE, Outcome, in_process

PATIENCE = 10  # seconds to find the scheduler
HERE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Done:
    """What came of a cell: its end, and every file below its folder's own by path, its log under `logs/`."""

    code: int
    said: str
    seconds: float
    files: dict[str, bytes]


class Cluster:
    """The scheduler at an address. Errors: InputError where there is none, or this program's Python has no Dask."""

    def __init__(self, address: str) -> None:
        try:
            import distributed
        except ImportError:
            raise InputError("--cluster needs Dask: pip install -r requirements-cluster.txt") from None
        try:
            self.client = distributed.Client(address, timeout=PATIENCE, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"no Dask scheduler answers at {short(address)} ({short(error, 80)}): start one "
                             f"with `dask scheduler`, and give the address that it prints, like tcp://10.0.0.1:8786"
                             ) from None
        self.address = address

    @property
    def workers(self) -> int:
        """Cells that they take at a time now."""
        return sum(self.client.nthreads().values())

    def run_all(self, todo: Sequence[Cell], module: str, stop: Asked, on_change: Callable[[Sequence[Cell]], None]
                ) -> Iterator[Outcome]:
        """Every cell, as `runs.processes.run_all`; the scheduler says which where."""
        left = {self.client.submit(handed_over, pickle.dumps((module, cell, identity.code())), pure=False,
                                   key=f"{cell.name}-{time.time_ns()}"): cell for cell in todo}
        try:
            on_change(list(left.values()))
            while left and not stop.asked:
                ended = [future for future in left if future.done()]
                if not ended:
                    self._check()
                    time.sleep(PAUSE)
                for future in ended:
                    cell = left.pop(future)
                    yield _outcome(cell, future)
                    on_change(list(left.values()))
        finally:
            self.client.cancel(list(left), force=True)
            self.client.close(timeout=PATIENCE)

    def _check(self) -> None:
        """Errors: InputError where the scheduler is gone."""
        if self.client.status not in ("running", "connecting"):
            raise InputError(f"the Dask scheduler at {self.address} is gone: start it again, or leave --cluster out")


def _outcome(cell: Cell, future: Any) -> Outcome:
    """What came of it, its files where a process here would have put them; the summary, which says that it is finished,
    comes last."""
    if future.status != "finished":
        return Outcome(cell, 1, _why(future), 0.0)
    done = Done(*future.result())
    other = _read_otherwise(cell, done)
    if other:
        return Outcome(cell, 2, f"a worker read another {other} than lies here: give it the same", done.seconds)
    if not done.code:  # what a process here had begun, and its checkpoint, are of no use any more
        shutil.rmtree(cell.place, ignore_errors=True)
    for name in sorted(done.files, key=lambda name: name.endswith(folder.SUMMARY)):
        path = cell.place.parent / name
        if not path.resolve().is_relative_to(cell.place.parent.resolve()):
            raise InputError(f"a worker sends a file {short(name)}, which lies outside of the sweep")
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.whole(path) as aside:
            aside.write_bytes(done.files[name])
    return Outcome(cell, done.code, done.said, done.seconds)


def _read_otherwise(cell: Cell, done: Done) -> str:
    """The files that a worker read, of data or code, and that are not as they are here."""
    said = done.files.get(f"{cell.name}/{started.NAME}")
    request = cell.request
    here = started.Started.now(request.problem, request.argv, request.cwd, request.data_files).files
    there = json.loads(said)["files"] if said else here
    return short(", ".join(name for name in here if here[name] != there.get(name)))


def _why(future: Any) -> str:
    """In a sentence."""
    error = future.exception() if future.status == "error" else None
    if error is None:
        return "the scheduler let go of it"
    if type(error).__name__ == "KilledWorker":
        return "every worker that it was given to died; out of memory, perhaps"
    if isinstance(error, ModuleNotFoundError):
        return f"a worker does not find this program ({short(error)}): start `python -m dask worker` in its folder"
    return f"{type(error).__name__}: {short(error)}"


def _by_value() -> Callable[[bytes], tuple[Any, ...]]:
    """`work` by its name alone, for the scheduler unpickles what it hands on and need not have this program; a function
    made in a function is pickled as its code."""
    def work_by_name(task: bytes) -> tuple[Any, ...]:
        from runs.cluster import work

        return work(task)

    return work_by_name


handed_over = _by_value()


def work(task: bytes) -> tuple[Any, ...]:
    """The fields of `Done` of a pickled (module, cell, version of this program)."""
    done = _work(*pickle.loads(task))
    return done.code, done.said, done.seconds, done.files


def _work(module: str, cell: Cell, code: str) -> Done:
    """On the worker: the run in a process of its own, which ends when this worker does, or when nobody waits for it."""
    import distributed

    worker: Any = distributed.get_worker()  # type: ignore[no-untyped-call]
    if identity.code() != code:
        return Done(2, f"the worker {worker.address} has another version of this program: give it the same", 0.0, {})
    threads = max(1, (os.cpu_count() or 1) // worker.state.nthreads)
    key, before = worker.get_current_task(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="crosscheck-") as place:
        there = Path(place) / cell.name
        moved = replace(cell, place=there, request=replace(cell.request, out=there, resume=None))
        ended, said = _alone(module, moved, threads, lambda: _wanted(worker, key))
        found = {p.relative_to(place).as_posix(): p.read_bytes() for p in sorted(Path(place).rglob("*"))
                 if p.is_file() and not p.name.endswith(".checkpoint.npz")}
        home = str(cell.place.parent)
        log = f"logs/{cell.log.name}"
        found[log] = found.get(log, b"").replace(place.encode(), home.encode())
        return Done(ended, said.replace(place, home), time.monotonic() - before, found)


def _wanted(worker: Any, key: str) -> bool:
    """Whether the sweep still waits for a task: not once it is cancelled, or its client is gone."""
    task = worker.state.tasks.get(key)
    return task is not None and task.state == "executing"


def _alone(module: str, cell: Cell, threads: int, wanted: Callable[[], bool]) -> tuple[int, str]:
    """`in_process` in a new interpreter: a worker's processes may have no children of multiprocessing's own."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    cwd = cell.request.cwd if cell.request.cwd.is_dir() else cell.place.parent  # else what is relative is not there
    process = subprocess.Popen([sys.executable, "-m", "runs.cluster", str(theirs.fileno())], stdin=subprocess.PIPE,
                               pass_fds=(theirs.fileno(),), cwd=cwd, env=os.environ | {"PYTHONPATH": str(HERE)})
    theirs.close()
    assert process.stdin
    process.stdin.write(pickle.dumps((module, cell, threads)))
    process.stdin.close()
    try:
        while not ours.poll(PAUSE):
            if not wanted():
                process.kill()
                return 130, "stopped"
        with suppress(EOFError):  # it died without a word
            found: tuple[int, str] = ours.recv()
            return found
        return 1, f"the process ended by itself (exit status {process.wait()}); out of memory, perhaps"
    finally:
        ours.close()
        process.wait()


if __name__ == "__main__":
    module, cell, threads = pickle.load(sys.stdin.buffer)
    in_process(module, cell, threads, Connection(int(sys.argv[1]), readable=False))
