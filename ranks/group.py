"""The processes of a run, and what they say to each other: torch.distributed, gloo on CPUs and nccl on GPUs.

`torchrun` tells each process by the environment who it is. Without it, or alone, nothing here does anything, and
torch.distributed is not imported.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from errors import InputError
from ranks.watch import Watch

if TYPE_CHECKING:  # torch takes a second, and a list of options has no use for it
    from torch import Tensor

PATIENCE = timedelta(hours=6)  # for a sum: that a rank is gone the watch knows far sooner
MEETING = timedelta(minutes=5)  # for all to come

_watch: Watch | None = None


class Lost(InputError):
    """Another rank is gone, and the run with it."""


def size() -> int:
    """How many ranks there are."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "RANK" in os.environ else 1


def rank() -> int:
    """Which of them this is, from 0."""
    return int(os.environ["RANK"]) if size() > 1 else 0


def join() -> None:
    """Meet the others, and from now on watch each other. What is printed is printed by the first."""
    global _watch
    if size() == 1 or _watch is not None:
        return
    import torch
    import torch.distributed as dist

    local, here = (int(os.environ.get(name, "0")) for name in ("LOCAL_RANK", "LOCAL_WORLD_SIZE"))
    cuda = torch.cuda.is_available() and torch.cuda.device_count() >= max(1, here)
    if cuda:
        torch.cuda.set_device(local)
    try:
        store, me, ranks = next(iter(dist.rendezvous("env://", timeout=MEETING)))
        dist.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo", store=dist.PrefixStore("sums", store),
                                rank=me, world_size=ranks, timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise InputError(f"rank {rank()} of {size()} did not find the others within {MEETING}: {error}") from None
    _watch = Watch(store, me, ranks)
    if me:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115


def total(x: Tensor) -> Tensor:
    """The sum of every rank's x, on each of them the same bytes."""
    import torch
    import torch.distributed as dist

    with together():
        x = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(x)
    return x


def most(*numbers: int) -> tuple[int, ...]:
    """Of each of these the largest that a rank has."""
    if size() == 1:
        return numbers
    import torch
    import torch.distributed as dist

    x = torch.tensor(numbers)
    with together():
        dist.all_reduce(x, dist.ReduceOp.MAX)
    return tuple(x.tolist())


def first(make: Callable[[], Any], among: bool = True) -> Any:
    """What the first rank makes, on all of them; unless `among` them, what this one makes. Errors: InputError, on all
    of them."""
    if size() == 1 or not among:
        return make()
    import torch.distributed as dist

    found: list[Any] = [None, ""]
    if rank() == 0:
        try:
            found[0] = make()
        except InputError as error:
            found[1] = str(error)
    with together():
        dist.broadcast_object_list(found)
    if found[1]:
        raise InputError(found[1])
    return found[0]


def everyone(value: Any) -> list[Any]:
    """Every rank's value, on all of them."""
    if size() == 1:
        return [value]
    import torch.distributed as dist

    found = [None] * size()
    with together():
        dist.all_gather_object(found, value)
    return found


def exchange(rows: Tensor, counts: Sequence[int]) -> Tensor:
    """What every rank has for this one, in the order of the ranks; of these rows the first counts[0] are for rank 0,
    the next counts[1] for rank 1, and so on."""
    import torch.distributed as dist

    mine = [each[rank()] for each in everyone(list(counts))]
    found = rows.new_empty((sum(mine), *rows.shape[1:]))
    with together():
        dist.all_to_all_single(found, rows.contiguous(), mine, list(counts))
    return found


def to_first(rows: Tensor, bounds: tuple[int, ...]) -> Tensor:
    """On the first rank every rank's rows, those of rank r at bounds[r] .. bounds[r + 1]; on the others their own."""
    import torch
    import torch.distributed as dist

    with together():
        if rank():
            dist.send(rows.detach().cpu().contiguous(), 0)
            return rows
        found = torch.empty((bounds[-1], *rows.shape[1:]), dtype=rows.dtype)
        found[: bounds[1]] = rows.detach().cpu()
        for other in range(1, size()):
            dist.recv(found[bounds[other] : bounds[other + 1]], other)
    return found.to(rows.device)


def each(make: Callable[[int], Any]) -> Any:
    """What the first rank makes for this one."""
    import torch.distributed as dist

    with together():
        if rank():
            found: list[Any] = [None]
            dist.recv_object_list(found, 0)
            return found[0]
        for other in range(1, size()):
            dist.send_object_list([make(other)], other)
    return make(0)


@contextmanager
def together() -> Iterator[None]:
    """Errors: Lost, which names the rank, where one is gone."""
    try:
        yield
    except RuntimeError as error:
        assert _watch is not None
        raise Lost(_watch.gone() or f"rank {rank()} has lost the others: {error}") from None


def lost() -> str:
    """Which rank is gone, in a sentence; "" where none is."""
    return _watch.gone() if _watch else ""


def ending(sentence: str) -> str:
    """What this rank says at its end, where it would say this: nothing where the first says the same, and which rank
    is gone where that is why it was stopped."""
    if _watch is None:
        return sentence
    return _watch.ending(sentence)


def leave(status: int) -> None:
    """The others do not wait for this rank any more. Does not return where there are others."""
    if _watch is not None:
        _watch.leave()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)  # at a usual end the threads of gloo would wait for ranks that are gone
