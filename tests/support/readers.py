"""Every reader of somebody's file: whole files to start from, and how it is read. Tests and `bench/fuzz` share them.

Whatever the bytes, a reader gives a value or one sentence: `judged.fault` says where it does not. Files that go with
others are in `readers_beside`.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image

from checks.journal import Entry, Journal, kept, written
from checks.verdict import Finding, Outcome, Verdict
from comparison import reading
from comparison.row import Row
from data.grid_files import read_grid, read_marginals
from data.images import read_image, write_image
from data.rating_files import read_ratings
from errors import InputError
from inference import job, load
from inference.drive import drive
from inference.interrupt import finish_step_first
from inference.job import Plan
from models.grid import GridMRF
from runs.started import NAME, Started
from tests.support.judged import Reader
from tests.support.readers_beside import BESIDE

LABELS = np.array([[0, 1, 1, -1], [2, 0, 1, 1], [0, 0, 2, 1]])


def npy() -> list[bytes]:
    arrays = [LABELS.astype(t) for t in ("i1", "<i8", ">i4", "f4", "<f8")]
    arrays += [np.eye(3)[LABELS], np.eye(3, dtype=bool)[LABELS], np.asfortranarray(LABELS)]
    return [_bytes(partial(np.save, arr=a)) for a in arrays]


def _bytes(write: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def greys() -> list[bytes]:
    """Of two greys that survive JPEG: its blocks are of one grey each."""
    blocks = np.repeat(np.repeat(LABELS.clip(0, 1) * 255, 8, 0), 8, 1).astype(np.uint8)
    return [_bytes(partial(Image.fromarray(blocks).convert(mode).save, format="JPEG", quality=95, progressive=often))
            for mode in ("L", "RGB") for often in (False, True)]


def picture(kind: str, modes: tuple[str, ...]) -> Callable[[], list[bytes]]:
    """Files of one of Pillow's formats, one a mode."""
    def seeds() -> list[bytes]:
        grey = Image.fromarray(np.repeat(np.repeat(LABELS.clip(0) * 100, 4, 0), 4, 1).astype(np.uint8))
        wide = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
        return [_bytes(partial((wide if mode == "I;16" else grey.convert(mode)).save, format=kind)) for mode in modes]
    return seeds


def png() -> list[bytes]:
    with TemporaryDirectory() as folder:
        write_image(Path(folder, "a.png"), torch.from_numpy(LABELS))
        ours = Path(folder, "a.png").read_bytes()
    return [ours, *picture("PNG", ("1", "L", "I;16", "P", "LA", "RGB", "RGBA"))()]


TABLE = "4\n 1 2.5 .75 1e-3"
UAI = f"MARKOV\n4\n2 2 2 2\n5\n1 0\n2 0 1\n2 2 3\n2 0 2\n2 3 1\n\n2\n 0.5 2\n{TABLE}\n{TABLE}\n{TABLE}\n{TABLE}\n"
CHAIN = "MARKOV 3 3 3 3 3  1 1  2 0 1  2 1 2  3 1 2 3  9 1 2 3 4 5 6 7 8 9  9 1 2 3 4 5 6 7 8 9"
FG = "# two\n2\n\n2\n0 1\n2 2\n4\n0 1\n1 2\n2 3e1\n3 .4\n\n2\n1 2\n2 2\n4\n3 1\n2 2\n1 3\n0 4\n"


def ratings_text() -> list[bytes]:
    long = "userId,movieId,rating,timestamp\n" + "".join(f"{u},{10 * i},{(u + i) % 5 + 1},9\n"
                                                         for u in range(1, 6) for i in range(1, 5))
    jester = "3,1.5,-2.25,99,7.0\n2,99,99,-3.5,1.0\n4,1,2,3,4\n"
    return [long.encode(), long.replace(",", "\t").encode(), long.replace(",", "::").encode(), jester.encode(),
            b"user;item;rating\n1;1;4.5\n2;1;3\n"]


def ratings_wide() -> list[bytes]:
    """Matrices: a pivot table with a name a column, and numbers alone of which some are not rated."""
    cells = [[(u * k) % 5 + 1 if (u + k) % 3 else 99 for k in range(9)] for u in range(6)]
    named = "user," + ",".join(f"film {k}" for k in range(9)) + "\n" + "".join(
        f"u{u}," + ",".join(map(str, row)).replace("99", "") + "\n" for u, row in enumerate(cells))
    bare = "".join("\t".join(map(str, row)) + "\n" for row in cells)
    return [named.encode(), named.replace(",", ";").encode("utf-16"), bare.encode()]


def ratings_packed(pack: Callable[[bytes], bytes]) -> Callable[[], list[bytes]]:
    return lambda: [pack(text) for text in ratings_text()]


def ratings_zip() -> list[bytes]:
    def write(how: int, file: io.BytesIO) -> None:
        with zipfile.ZipFile(file, "w", how) as archive:
            archive.writestr("ml/ratings.csv", ratings_text()[0])
    return [_bytes(partial(write, how)) for how in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)]


def ratings_parquet() -> list[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    table = pa.table({"user": [1, 1, 2], "item": [5, 6, 5], "rating": [1.0, 2.5, 4.0]})
    words = pa.table({"user": pa.array(["ann", "ann", "bob"]).dictionary_encode(), "item": ["x", "y", "x"],
                      "rating": pa.array([1, None, 4], pa.float32()), "time": pa.array([1, 2, 3], pa.timestamp("s"))})
    return [_bytes(partial(parquet.write_table, each, compression=how))
            for each, how in ((table, "none"), (table, "snappy"), (words.slice(0, 1), "zstd"))]


MATRIX = b"%%MatrixMarket matrix coordinate real general\n% films\n3 4 5\n1 1 4\n1 2 3.5\n2 1 1\n2 4 2\n3 3 5\n"


@cache
def a_model() -> GridMRF:
    return GridMRF.potts(torch.eye(2, dtype=torch.float64)[torch.tensor([[0, 1, 1], [0, 0, 1]])], 1.0, (0.5, 0.1))


def a_job(name: str) -> job.Job:
    """Of a small run, as `drive` makes it."""
    method, plan = load.method("grid", name), Plan(steps=6, chains=2, warmup=2, draws=3)
    own, observers = ([job.generator(0, f"{role}/{c}") for c in range(2)] for role in ("method", "observer"))
    return job.Job(method, a_model(), None, plan, {}, lambda latents: latents, None, own, observers)


CHECKPOINTED = ("gibbs", "mean_field", "loopy_bp")


@cache
def checkpoints() -> list[bytes]:
    found = []
    for name in CHECKPOINTED:
        asked = a_job(name)
        with TemporaryDirectory() as folder:
            path = Path(folder, "a.npz")
            state = [asked.method.init(rng, asked.model, None) for rng in asked.rngs]
            run = job.Run(state, [], {}, [[{"accept": 1.0}] * 2], [[0.1, 0.2]], {"labels": [torch.zeros(2, 2, 3)]},
                          {"converged": True})
            job.save(path, run, asked)
            found.append(path.read_bytes())
    return found


def read_checkpoint(path: Path) -> object:
    """By each of the methods whose seeds there are; all but one refuse it."""
    found = None
    refusals = []
    for name in CHECKPOINTED:
        try:
            found = job.resume(path, a_job(name), torch.device("cpu"))
        except InputError as error:
            refusals.append(error)
    if len(refusals) == len(CHECKPOINTED):
        raise refusals[0]
    return found


def journals() -> list[bytes]:
    """Of a check that was stopped on the way to its second verdict."""
    with TemporaryDirectory() as folder:
        finding = Finding("mean", "U[0, 0]", "too large", 0.5, 4.0, 1.0, 0.5, "3 x 4")
        first = Verdict("a", Outcome.WRONG, 1e-3, findings=[finding], excluded={"noise": float("inf")})
        entries = [Entry("a fit", torch.ones(2), torch.Generator().get_state(), 0.1)]
        Journal(Path(folder, "a.npz"), [first], entries).save()
        return [Path(folder, "a.npz").read_bytes()]


def read_journal(path: Path) -> object:
    """As a check goes on with it."""
    with written(path) as book:
        return (book.verdict(lambda: Verdict("b", Outcome.RIGHT, 1e-3)).to_json(),
                float(kept("a fit", lambda: torch.zeros(2), torch.Generator()).sum()))


@cache
def results() -> list[bytes]:
    found = []
    for name in CHECKPOINTED:
        with TemporaryDirectory() as folder, finish_step_first():
            result = drive(load.method("grid", name), a_model(), None, Plan(steps=20, chains=2, warmup=2, draws=3))
            path = result.save(Path(folder))
            read_result(path)  # what it imports is not on the clock of a file
            found.append(path.read_bytes())
    return found


def read_result(path: Path) -> object:
    """As `compare` does."""
    return [Row.of(saved).to_json() for saved in reading.read([path])[0]]


def result_json() -> list[bytes]:
    cells = {"rank=1": {"rank": "1"}, "rank=2": {"rank": "2"}}
    return [json.dumps({"problem": "1", "swept": {"rank": ["1", "2"]}, "cells": cells}).encode()]


def read_sweep(path: Path) -> object:
    """`sweep.json`, in the folder of a sweep."""
    path.replace(path.with_name("sweep.json"))
    return sorted((k, sorted(v.items())) for k, v in reading.cells(path.parent).items())


def run_json() -> list[bytes]:
    argv = ("--problem", "1", "--image", "mine.npy", "--method", "gibbs:schedule=raster", "--method=a/b.py:K", "--seed",
            "3", "--sweep", "seed=0-3")
    started = Started("1", argv, "/home/me", {"--image mine.npy": "0" * 64, "b.py": "1" * 64}, "2" * 12)
    with TemporaryDirectory() as folder:
        started.write(Path(folder))
        return [Path(folder, NAME).read_bytes()]


def read_run(path: Path) -> object:
    """`run.json`, as `--resume` does."""
    from commands import resume

    path.replace(path.with_name(NAME))
    now = Started("1", ("--problem", "1"), "/home/me", {"--image mine.npy": "0" * 64}, "2" * 12)
    argv, _ = resume.arguments(path.parent, ["--method=elsewhere/b.py:K"])
    Started.read(path.parent).check(path.parent, now)
    return argv


READERS = {
    "npy": Reader(".npy", npy, read_image),
    "png": Reader(".png", png, read_image),
    "jpeg": Reader(".jpg", greys, read_image),
    "picture": Reader(".png", lambda: [s for kind in ("BMP", "GIF", "PPM", "TIFF", "WEBP")
                                       for s in picture(kind, ("L", "RGB"))()], read_image),
    "uai": Reader(".uai", lambda: [UAI.encode(), CHAIN.encode()], read_grid),
    "fg": Reader(".fg", lambda: [FG.encode()], read_grid),
    "mar": Reader(".MAR", lambda: [b"MAR\n3 2 0.25 0.75\n2 1 0 2 .5 .5\n"], read_marginals),
    "nc": Reader(".nc", results, read_result),
    "ckpt": Reader(".npz", checkpoints, read_checkpoint),
    "journal": Reader(".npz", journals, read_journal),
    "runjson": Reader(".json", run_json, read_run),
    "sweepjson": Reader(".json", result_json, read_sweep),
    "csv": Reader(".csv", ratings_text, read_ratings),
    "wide": Reader(".csv", ratings_wide, read_ratings),
    "mtx": Reader(".mtx", lambda: [MATRIX], read_ratings),
    "gz": Reader(".gz", ratings_packed(partial(gzip.compress, mtime=0)), read_ratings),
    "bz2": Reader(".bz2", ratings_packed(bz2.compress), read_ratings),
    "xz": Reader(".xz", ratings_packed(lzma.compress), read_ratings),
    "zip": Reader(".zip", ratings_zip, read_ratings),
    "parquet": Reader(".parquet", ratings_parquet, read_ratings),
    **BESIDE,
}
