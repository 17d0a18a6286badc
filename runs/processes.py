"""The cells of a sweep in parallel processes."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from errors import InputError, Interrupted
from inference.interrupt import Asked
from runs.cells import Cell

PRELOADED = ("arviz", "netCDF4", "pyro.infer",  # slow to import
             "dask.array", "distributed")  # and these, where there are, xarray imports when the first result is saved
ORPHANED = 30  # seconds that a run has to save what it reached when its sweep is gone
PAUSE = 0.2  # seconds between two looks at whether Ctrl-C was pressed


@dataclass(frozen=True)
class Outcome:
    cell: Cell
    code: int
    said: str  # why it failed, in a sentence
    seconds: float


def run_all(todo: Sequence[Cell], module: str, jobs: int, stop: Asked, on_change: Callable[[Sequence[Cell]], None]
            ) -> Iterator[Outcome]:
    """Every cell in a process of its own by `run` of the named module, `jobs` at a time; begins no new ones when
    `stop` is asked for.

    The processes are forked from one that has imported everything and computed nothing. They stop at Ctrl-C after
    the step in hand, and what they have reached is saved in their folders.
    """
    forked = hasattr(os, "fork")
    context: Any = multiprocessing.get_context("forkserver" if forked else "spawn")
    if forked:
        context.set_forkserver_preload([module, *PRELOADED])
    threads = max(1, (os.cpu_count() or 1) // jobs)
    waiting, running, told = list(todo), dict[Any, tuple[Cell, Any, Connection, float]](), False
    try:
        while running or (waiting and not stop.asked):
            while waiting and len(running) < jobs and not stop.asked:
                cell = waiting.pop(0)
                ours, theirs = context.Pipe(duplex=False)
                process = context.Process(target=in_process, args=(module, cell, threads, theirs), daemon=True)
                process.start()
                theirs.close()
                running[process.sentinel] = cell, process, ours, time.monotonic()
                on_change([c for c, *_ in running.values()])
            if stop.asked and not told:
                told = True
                for _, process, *_ in running.values():
                    with suppress(ProcessLookupError):
                        os.kill(process.pid, signal.SIGINT)
            for sentinel in wait(list(running), timeout=PAUSE):
                cell, process, ours, started = running.pop(sentinel)
                yield _outcome(cell, process, ours, time.monotonic() - started)
                on_change([c for c, *_ in running.values()])
    finally:
        for _, process, *_ in running.values():
            process.terminate()


def _outcome(cell: Cell, process: Any, pipe: Connection, seconds: float) -> Outcome:
    process.join()
    try:
        code, said = pipe.recv()
    except EOFError:  # it died without a word
        code, said = 1, f"the process ended by itself (exit status {process.exitcode}); out of memory, perhaps"
    pipe.close()
    return Outcome(cell, code, said, seconds)


def stop_with(pipe: Connection) -> None:
    """Stop, as Ctrl-C does, when the sweep at the other end of the pipe is gone, killed perhaps; and if that is not
    enough, for a step may be long, at once."""
    poll = select.poll()
    poll.register(pipe.fileno(), 0)
    while not any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(1000 * ORPHANED)):
        pass
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(ORPHANED)
    os.kill(os.getpid(), signal.SIGKILL)


def in_process(module: str, cell: Cell, threads: int, pipe: Connection) -> None:
    """In the process of the cell: an ordinary run, its words in a file, its end through the pipe."""
    if hasattr(os, "setsid"):
        os.setsid()  # Ctrl-C comes from the sweep, once, and not from the terminal as well
    if hasattr(select, "poll"):
        threading.Thread(target=stop_with, args=(pipe,), daemon=True).start()
    import numba
    import torch

    torch.set_num_threads(threads)
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    log = cell.log
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "a", opener=lambda path, flags: os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            code = importlib.import_module(module).run(cell.request)
            said = "" if code == 0 else f"exit status {code} (see {log})"
        except InputError as error:
            code, said = 2, str(error)
        except (Interrupted, KeyboardInterrupt) as stopped:
            code, said = 128 + getattr(stopped, "signum", 2), str(stopped) or "stopped"
        except Exception as error:
            traceback.print_exc()
            code, said = 1, f"{type(error).__name__}: {error} (see {log})"
        print(said, flush=True)
        sys.stdout.flush()
    pipe.send((code, said))
