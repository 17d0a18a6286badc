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
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from tests.support.judged import BYTES, Reader, fault
from tests.support.mutants import OWN, mutant
from tests.support.readers import READERS

READY = -1
HANGS = 20  # seconds after which a process is given up
SLACK = 64 * 2**20  # bytes: threads, and what the allocator rounds up to


def made(name: str, seeds: Sequence[bytes], seed: int, number: int) -> bytes:
    digest = blake2b(f"{name}/{seed}/{number}".encode(), digest_size=8).digest()
    return mutant(np.random.default_rng(int.from_bytes(digest, "little")), seeds, OWN.get(name, ()))


def confine(size: int) -> None:
    """What is asked for beyond the limit is refused, touched or not."""
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + 4 * size + BYTES + SLACK, resource.getrlimit(resource.RLIMIT_AS)[1]))


def work(name: str, numbers: range, seed: int, told: Connection) -> None:
    """Send (number, fault or nothing) of each."""
    warnings.simplefilter("ignore")
    faulthandler.disable()
    reader, seeds = READERS[name], READERS[name].seeds()
    with TemporaryDirectory(prefix="f") as folder:
        for raw in seeds:
            once(reader, raw, Path(folder), limited=False)  # imports, thread pools
        told.send((READY, ""))
        for number in numbers:
            told.send((number, once(reader, made(name, seeds, seed, number), Path(folder))))


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
    context, at, found = multiprocessing.get_context("fork"), 0, dict[int, str]()
    while at < inputs:
        hear, tell = context.Pipe(duplex=False)
        process = context.Process(target=work, args=(name, range(at, inputs), seed, tell))
        process.start()
        tell.close()
        try:
            assert hear.poll(10 * HANGS) and hear.recv()[0] == READY, f"the whole files of {name} cannot be read"
            while at < inputs:
                if not hear.poll(HANGS):
                    found[at] = f"more than {HANGS} s"
                    break
                number, said = hear.recv()
                at = number + 1
                if said:
                    found[number] = said
            else:
                break
        except EOFError:
            process.join(5)
            found[at] = f"the process died ({process.exitcode})"
        at += 1
        process.kill()
        process.join()
    return found


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
