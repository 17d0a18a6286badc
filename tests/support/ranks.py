"""Several ranks on this machine, forked from a process that has imported everything and computed nothing."""

import multiprocessing
import os
import time
import traceback
from pathlib import Path

MODULES = ("experiments.ratings.tasks", "inference.drive", "torch.distributed")


def on_ranks(worlds, work, folder: Path, *arguments, patience: float = 300.0):
    """For each number of ranks in `worlds` what `work(*arguments)` returns on each; all worlds at once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*MODULES, work.__module__])
    ours = {}
    for size in worlds:
        for rank in range(size):
            mine, theirs = context.Pipe(duplex=False)
            process = context.Process(target=_rank, args=(rank, size, folder, theirs, work, arguments), daemon=True)
            process.start()
            theirs.close()
            ours[size, rank] = process, mine
    try:
        until = time.monotonic() + patience
        return {size: [_heard(ours[size, rank][1], until) for rank in range(size)] for size in worlds}
    finally:
        for process, _ in ours.values():
            process.kill()


def _heard(pipe, until):
    """What a rank sent; None where it is gone."""
    if not pipe.poll(max(0.0, until - time.monotonic())):
        raise TimeoutError("a rank does not answer")
    try:
        found = pipe.recv()
    except EOFError:
        return None
    if isinstance(found, str) and found.startswith("Traceback"):
        raise AssertionError(found)
    return found


def _rank(rank, size, folder, pipe, work, arguments):
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1",
                   "MASTER_PORT": str(_port(folder / f"port{size}", rank)), "LOCAL_RANK": str(rank)}
    import torch

    torch.set_num_threads(1)
    from ranks import group
    try:
        group.join()
        pipe.send(work(*arguments))
    except BaseException:
        pipe.send(traceback.format_exc())
    pipe.close()
    group.leave(0)


def _port(path: Path, rank: int) -> int:
    """One that was free when the first rank looked."""
    import socket

    if rank == 0:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            (aside := path.with_suffix(".new")).write_text(str(free.getsockname()[1]))
            aside.rename(path)
    while not path.exists():
        time.sleep(0.01)
    return int(path.read_text())
