"""Does every reader of a file give a value or one sentence, whatever the bytes?

    python bench/fuzz                           # 20,000 mutants a reader, failures by kind; exit status 1 for any
    python bench/fuzz npy png --inputs 100000 --seed 1 --keep failures/

Each mutant is read in a process that may have 4 times the file and 100 MB more of memory than it held before, and a
second of processor time; a process that dies or hangs is a failure too. The same seed makes the same mutants.
"""

from __future__ import annotations

import argparse
import faulthandler
import multiprocessing
import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from tests.support.judged import BYTES, Reader, fault, held
from tests.support.mutants import OWN, mutant
from tests.support.readers import READERS

READY, DONE = -1, -2
HANGS = 20  # seconds after which a process is given up
MEMORY = (Path("/dev/shm"),)  # where a file is written soonest, if there is such a place
SLACK = 64 * 2**20  # bytes: threads, and what the allocator rounds up to


def made(name: str, seeds: Sequence[bytes], seed: int, number: int) -> bytes:
    digest = blake2b(f"{name}/{seed}/{number}".encode(), digest_size=8).digest()
    return mutant(np.random.default_rng(int.from_bytes(digest, "little")), seeds, OWN.get(name, ()))


def confine(size: int) -> None:
    """What is asked for beyond the limit is refused, touched or not."""
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (held()[0] + 4 * size + BYTES + SLACK, most))


def work(name: str, numbers: range, seed: int, at: Synchronized[int], told: Connection) -> None:
    """Send (number, fault) of each that has one; `at` is the number in hand."""
    warnings.simplefilter("ignore")
    faulthandler.disable()
    reader, seeds = READERS[name], READERS[name].seeds()
    with TemporaryDirectory(prefix="f") as folder:
        for raw in seeds:
            once(reader, raw, Path(folder), limited=False)  # imports, thread pools
        told.send((READY, ""))
        for number in numbers:
            at.value = number
            if said := once(reader, made(name, seeds, seed, number), Path(folder)):
                told.send((number, said))
        told.send((DONE, ""))


def once(reader: Reader, raw: bytes, folder: Path, limited: bool = True) -> str:
    path, before = folder / f"a{reader.suffix}", resource.getrlimit(resource.RLIMIT_AS)
    path.write_bytes(raw)
    if limited:
        confine(len(raw))
    try:
        return fault(reader.read, path)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def run(name: str, inputs: int, seed: int) -> dict[int, str]:
    """The faults, by the mutant's number."""
    context, first, found = multiprocessing.get_context("fork"), 0, dict[int, str]()
    while first < inputs:
        hear, tell = context.Pipe(duplex=False)
        at = context.Value("q", first)
        process = context.Process(target=work, args=(name, range(first, inputs), seed, at, tell))
        process.start()
        tell.close()
        assert hear.poll(10 * HANGS) and hear.recv()[0] == READY, f"the whole files of {name} cannot be read"
        end = ended(hear, at, found)
        process.kill()
        process.join()
        if not end:
            break
        found[at.value] = end
        first = at.value + 1
    return found


def ended(hear: Connection, at: Synchronized[int], found: dict[int, str]) -> str:
    """What ended a process before its last mutant; nothing where all were read. The faults that it sends are added."""
    while True:
        before = at.value
        if hear.poll(HANGS):
            try:
                number, said = hear.recv()
            except EOFError:
                return "the process died"
            if number == DONE:
                return ""
            found[number] = said
        elif at.value == before:
            return f"more than {HANGS} s"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readers", nargs="*", metavar="READER", help=f"of {', '.join(READERS)} (default: all)")
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for one input of each kind of failure")
    args = parser.parse_args()
    if unknown := set(args.readers) - set(READERS):
        parser.error(f"no such reader: {', '.join(sorted(unknown))}")
    failed = 0
    tempfile.tempdir = next((str(place) for place in MEMORY if place.is_dir()), None)
    for name in args.readers or READERS:
        started = time.perf_counter()
        found = run(name, args.inputs, args.seed)
        failed += len(found)
        print(f"{name:10} {args.inputs:>8,} inputs {len(found):>6,} failures {time.perf_counter() - started:7.1f} s",
              flush=True)
        for kind, count in Counter(found.values()).most_common():
            number = next(n for n, said in found.items() if said == kind)
            print(f"    {count:>6,} {kind} (first: {number})", flush=True)
            if args.keep:
                args.keep.mkdir(parents=True, exist_ok=True)
                file = args.keep / f"{name}-{number}{READERS[name].suffix}"
                file.write_bytes(made(name, READERS[name].seeds(), args.seed, number))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
