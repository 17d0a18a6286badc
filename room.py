"""How much memory there is, and the sentence for what needs more.

Linux grants what it does not have and kills later; so what a large run will take is estimated before it is asked for.
"""

from __future__ import annotations

import os
import sys
from bisect import bisect_right
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from errors import InputError

MEMINFO, STATM = Path("/proc/meminfo"), Path("/proc/self/statm")
GROUPS = (("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
          ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"))
UNITS = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def free() -> int:
    """Bytes that may still be asked for: the least of what the machine, the control group and `ulimit -v` leave."""
    return max(min(found for found in (_machine(), _group(), _limit()) if found is not None), 0)


def refuse_beyond(what: str, need: int, count: int = 1, things: str = "", power: int = 1) -> None:
    """Errors: InputError where `what`, which is `count` things of `need` bytes together, needs more than is free; with
    how many of the things would fit, where the bytes grow as this power of their number.

    >>> refuse_beyond("nothing", 0)
    """
    has = free()
    if need <= has:
        return
    most = int(count * Fraction(has, need)) if power == 1 else int(count * (has / need) ** (1 / power))
    fits = f"at most {most:,} {things} fit" if things and most else f"that is {times(need, has)} too much"
    raise InputError(f"{what} would take {size(need)} of memory, and {size(has)} are free: {fits}")


def refuse_count(what: str, need: Callable[[int], int], count: int, things: str) -> None:
    """Errors: InputError where so many things need more than is free, and fewer would fit: how many.

    need    bytes of that many, which rise
    >>> refuse_count("3 copies", lambda count: 0, 3, "copies")
    """
    has = free()
    if need(count) > has >= need(1):
        most = bisect_right(range(1, min(count, sys.maxsize)), has, key=need)
        raise InputError(f"{what} would take {size(need(count))} of memory, and {size(has)} are free: at most {most:,} "
                         f"{things} fit")


def times(need: int, has: int) -> str:
    """
    >>> times(3, 2), times(10**9, 10**5), times(10**40, 10**9), times(1, 0)
    ('1.5 times', '10,000 times', '10^31 times', '1.0 times')
    """
    ratio = Fraction(need, max(has, 1))
    if ratio >= 10**9:
        return f"10^{len(str(int(ratio))) - 1} times"
    return f"{float(ratio):.1f} times" if ratio < 10 else f"{int(ratio):,} times"


def size(count: float) -> str:
    """
    >>> size(3.2e12), size(2.5e6), size(10**40), size(12)
    ('3.2 TB', '2.5 MB', '10^28 TB', '12 bytes')
    """
    if count >= 1e17:
        return f"10^{len(str(int(count))) - 13} TB"
    return next((f"{count / unit:.3g} {name}" for unit, name in UNITS if count >= unit), f"{count:.0f} bytes")


def _machine() -> int | None:
    try:
        lines = dict(line.split(":") for line in MEMINFO.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):  # no Linux
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 2**34


def _group() -> int | None:
    """What a container leaves, if this is one that has a limit."""
    for limit, used in GROUPS:
        try:
            return int(Path(limit).read_text()) - int(Path(used).read_text())
        except (OSError, ValueError):  # "max" is no limit
            continue
    return None


def _limit() -> int | None:
    try:
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        held = int(STATM.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (ImportError, OSError):
        return None
    return None if soft == resource.RLIM_INFINITY else soft - held
