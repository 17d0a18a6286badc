"""The same question as `python bench/fuzz`, by inputs that go where none has been: coverage-guided, by libFuzzer.

    pip install atheris
    python bench/fuzz/guided.py                     # 20,000 inputs a reader; exit status 1 for any failure
    python bench/fuzz/guided.py npy uai --inputs 100000 --seed 1 --keep failures/

Half of its mutations are libFuzzer's own, half those of `tests/support/mutants.py`, which know the formats. A failure
is what it is there, but that memory is measured and not confined: a process that dies would end the search.
"""

from __future__ import annotations

import argparse
import atexit
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[2]))
OURS = ["arrays", "data", "errors", "files", "inference", "comparison", "runs", "views", "commands", "experiments",
        "models", "playground"]
LARGEST = 2**16  # bytes of an input


def search(name: str, inputs: int, seed: int, keep: Path | None) -> None:
    """In a process of its own, for libFuzzer ends it."""
    import atheris

    with atheris.instrument_imports(include=OURS):
        from tests.support.readers import READERS
    import numpy as np

    from tests.support.judged import fault
    from tests.support.mutants import OWN, mutant

    warnings.simplefilter("ignore")
    reader, found, folder = READERS[name], Counter[str](), TemporaryDirectory(prefix="g")
    seeds, corpus, path = reader.seeds(), Path(folder.name, "corpus"), Path(folder.name, f"a{reader.suffix}")
    corpus.mkdir()
    for k, raw in enumerate(seeds):
        (corpus / str(k)).write_bytes(raw)
        path.write_bytes(raw)
        fault(reader.read, path)  # imports, thread pools

    def judged(raw: bytes) -> None:
        path.write_bytes(raw)
        if (said := fault(reader.read, path)) and not found[said] and keep:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{name}-guided-{len(found)}{reader.suffix}").write_bytes(raw)
        found[said] += 1

    def changed(raw: bytes, most: int, number: int) -> bytes:
        rng = np.random.default_rng(number)
        if rng.random() < 0.5:
            return atheris.Mutate(raw, most)  # type: ignore[no-any-return]
        return mutant(rng, [raw, *seeds], OWN.get(name, ()))[:most]

    def said() -> None:
        faults = {kind: count for kind, count in found.items() if kind}
        print(f"{name:10} {found.total():>8,} inputs {sum(faults.values()):>6,} failures", flush=True)
        for kind, count in faults.items():
            print(f"    {count:>6,} {kind}", flush=True)

    atexit.register(said)
    longest = max(LARGEST, *(2 * len(raw) for raw in seeds))
    atheris.Setup(["guided", f"-atheris_runs={inputs}", f"-seed={seed + 1}", f"-max_len={longest}", "-verbosity=0",
                   "-timeout=60", str(corpus)], judged, custom_mutator=changed)
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readers", nargs="*", metavar="READER", help="(default: all)")
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for one input of each kind of failure")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inside:
        search(args.readers[0], args.inputs, args.seed, args.keep)
        return 0
    from tests.support.readers import READERS

    failed = False
    for name in args.readers or READERS:
        words = [sys.executable, str(HERE), "--inside", name, f"--inputs={args.inputs}", f"--seed={args.seed}"]
        words += [f"--keep={args.keep}"] if args.keep else []
        ended = subprocess.run(words, capture_output=True, text=True)
        found = [line for line in ended.stdout.splitlines() if line.startswith((name, "    "))]
        print("\n".join(found) or f"{name:10} ended by itself ({ended.returncode}): {ended.stderr[-300:]}", flush=True)
        failed |= not any(" 0 failures" in line for line in found)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
