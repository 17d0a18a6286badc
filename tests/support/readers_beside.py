"""Readers of what goes with an image, with ratings or with a run, as `readers` has those of these themselves."""

from __future__ import annotations

import gzip
import io
import json
import os
import shlex
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image

import files
import run
from commands import every
from data import beside
from data.grid_files import read_evidence, read_grid
from data.jester_like import read_cached
from data.pictures import Picture
from data.rating_questions import read_pairs, read_timed_pairs, read_users
from data.side_information import read_known, read_more
from errors import InputError
from experiments.problem1 import cases
from experiments.problem1.request import Request
from experiments.ratings import predictions
from inference import load
from inference.drive import drive
from inference.factorization.fitted.fit import Fit
from inference.factorization.fitted.groups import Holding
from inference.factorization.fitted.ranking import top_n
from inference.interrupt import finish_step_first
from inference.job import Plan
from inference.result import Result
from models import features, ladder
from models.factorization import Factorization
from models.grid import GridMRF
from models.ratings import Ratings
from models.side_information import Column, Encoding, Known
from playground import denoising
from runs import cells
from tests.support.judged import Reader
from views.report.page import Figure, Made, Page, Part
from views.tables import Table

KNOWN = np.array([[0, 1, -1, -1], [2, -1, 1, -1], [0, 0, -1, 1]])
TRUTH = np.array([[0, 1, 1, 0], [2, 2, 1, -1], [0, 0, 0, 0]])
UNARY = np.linspace(-3, 3, 24).reshape(3, 4, 2)
GRID = "MARKOV 4  2 2 2 2  5  1 0  2 0 1  2 2 3  2 0 2  2 3 1  2 0.5 2" + 4 * "  4 1 2.5 .75 1e-3"


def saved(*arrays: np.ndarray) -> Callable[[], list[bytes]]:
    def seeds() -> list[bytes]:
        files = [io.BytesIO() for _ in arrays]
        for file, array in zip(files, arrays, strict=True):
            np.save(file, array)
        return [file.getvalue() for file in files]
    return seeds


def pictured(mode: str) -> bytes:
    """Twelve pixels of three greys, some of them transparent."""
    alpha = np.where(KNOWN < 0, 0, 255).astype(np.uint8)
    grey = Image.fromarray((KNOWN.clip(0) * 120).astype(np.uint8))
    if mode == "LA":
        grey.putalpha(Image.fromarray(alpha))
    file = io.BytesIO()
    grey.convert(mode).save(file, "PNG")
    return file.getvalue()


@cache
def picture() -> Picture:
    return Picture(torch.eye(3, dtype=torch.float64)[torch.from_numpy(KNOWN.clip(0))])


@cache
def model() -> GridMRF:
    return GridMRF.potts(picture().image)


def read_unary(path: Path) -> object:
    return cases.of_unary(path, Request(unary=path, argv=()))


def evidence() -> list[bytes]:
    return [b"2 0 1 3 0\n", b"1\n3 0 1 1 0 2 1", b"0", b"# none\n1 0"]


def uploads() -> list[bytes]:
    jpeg = io.BytesIO()
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(jpeg, "JPEG")
    return [pictured("L"), pictured("LA"), jpeg.getvalue()]


def read_upload(path: Path) -> object:
    """As the page does."""
    content = path.read_bytes()
    return denoising.trouble(content) or denoising.read(content, 8, 2)


@cache
def ratings() -> tuple[Ratings, Ratings]:
    """To train on and to test on: of 6 users by letters and 4 items by number, a user and an item without any."""
    user, item = torch.tensor([0, 0, 1, 1, 2, 2, 3, 4, 4]), torch.tensor([0, 1, 1, 2, 0, 2, 1, 0, 2])
    stars = torch.tensor([5.0, 3, 4, 1, 2, 2, 5, 3, 4], dtype=torch.float64)
    train = Ratings(user, item, stars, 6, 4, user_ids=tuple("abcdef"), item_ids=(7, 8, 9, 11), scale=(1.0, 5.0))
    return train, replace(train, user=user[:3], item=torch.tensor([2, 2, 0]), rating=stars[:3])


@cache
def fits() -> list[bytes]:
    """Of a chain of all that can be learned, of a q and of a point."""
    train, test = ratings()
    plain = Factorization(6, 4, 2, pairs=train.pairs)
    found = []
    learned = ladder.standardised(ladder.make("noise+hierarchical+biases", 6, 4, 2, pairs=train.pairs), train)
    known = Known(torch.arange(6.0, dtype=torch.float64)[:, None] / 5, Encoding((Column("age", 30.0, 9.0),), 0.2))
    bare = features.Featured(6, 4, 1, pairs=train.pairs, noise=True, hierarchical=True, user_known=known)
    featured = features.fitted(bare, train)
    for name, of in (("ladder_gibbs", learned), ("ladder_gibbs", featured), ("coordinate_ascent", plain),
                     ("maximum_likelihood", plain)):
        plan = Plan(6, 2, 2) if name == "ladder_gibbs" else Plan(5, draws=3)
        with TemporaryDirectory() as folder, finish_step_first():
            result = drive(load.method("factorization", name), of, train, plan, keeper=Holding(of, train, test))
            found.append(result.save(Path(folder)).read_bytes())
    return found


PAIRS = b"user,item\na,7\nb,9\nf,11\nzoe,8\n"


def read_fit(path: Path) -> object:
    """As `predict` does, for pairs, for everybody and for somebody new."""
    fit, folder = Fit.of(Result.load(path), str(path)), path.parent
    (folder / "pairs.csv").write_bytes(PAIRS)
    (folder / "new.csv").write_bytes(b"user,item,rating\nzoe,7,4\nzoe,9,1\n")
    new = predictions.read_new_users(fit, folder / "new.csv", None, ignore)
    top_n(fit, 2)
    return [predictions.of_pairs(fit, folder / "pairs.csv", None, 0.9, new, ignore),
            predictions.recommended(fit, "all", None, 2, 0.9, None, ignore)]


@cache
def fit() -> Fit:
    with TemporaryDirectory() as folder:
        path = Path(folder, "fit.nc")
        path.write_bytes(fits()[0])
        return Fit.of(Result.load(path), "fit.nc")


def ignore(line: str) -> None:
    """What is said on the way, here to nobody."""


def read_new_users(path: Path) -> object:
    return predictions.read_new_users(fit(), path, None, ignore).ids


def new_users() -> list[bytes]:
    return [b"user,item,rating\nzoe,7,4\nzoe,9,1\nyan,7,2.5\n", b"zoe\t7\t4\nzoe\t11\t3\n",
            b"user;item;rating\nx;9;2\n"]


def tables_of_users() -> list[bytes]:
    rows = [("a", "30", "F", "vet"), ("b", "41", "M", "cook"), ("c", "", "F", "cook"), ("e", "22.5", "M", "vet"),
            ("nobody", "70", "M", "vet")]
    lines = "".join(",".join(row) + "\n" for row in rows)
    return [b"user,age,sex,work\n" + lines.encode(), lines.replace(",", "|").encode(),
            b"id\tage\twork\n" + "".join(f"{u}\t{n}\t{w}\n" for u, n, _, w in rows).encode()]


IDS = np.array(list("abcdef"), dtype=object)


def read_side(path: Path) -> object:
    """For a fit and, as it was made, for others."""
    known = read_known(path, "user", IDS, None, ignore)
    return read_more(path, "user", IDS[:2], None, known.encoding, ignore)


def page() -> list[bytes]:
    """`report.json`, as a run writes it."""
    table = Table("Methods", ("name", "nll"), [("gibbs", 1.5), ("strip", None)], ("nll",))
    shown = Table("Checkpoints", ("id", "passed"), [("1.1", "pass")])
    part = Part("small", [table], ["a sentence"], ["a doubt"], [Figure("a.svg", "what it shows")])
    whole = Page("Problem 1", "grid", "take this", [part], Made("python run.py", 0, 1.5, {"cores": 2}, {"numpy": "2"}),
                 shown, {"gibbs": "#112233"})
    whole = replace(whole, parts=[replace(part, tables=[table.words()])], checkpoints=shown.words())
    return [json.dumps(asdict(each)).encode() for each in (whole, replace(whole, checkpoints=None))]


def read_page(path: Path) -> object:
    """As `--problem all` does of a problem that was finished before."""
    folder = path.parent / "problem1"
    folder.mkdir(exist_ok=True)
    (folder / "a.svg").write_text("<svg/>")
    path.replace(folder / "report.json")
    return every.reported(path.parent, ["1"])[0]


def cached() -> list[bytes]:
    file = io.BytesIO()
    np.savez(file, activity=np.array([1, 2]), item=np.array([0, 1, 2]), rating=np.array([1.0, 2.0, 3.0]))
    return [file.getvalue()]


WORDS = {
    "1": ("--image small --evidence 3 --coupling 2,0.5 --beta 0.2 --method gibbs:schedule=raster --sweeps 9 --chains 2",
          "--image flag --coupling '10,2;2,10' --palette '#000000' white --labels 2 --set damping=0.5 --device cpu",
          "--sweep method=gibbs,mean_field beta=0.1,0.2 seed=0-3 --sweeps 5"),
    "2": ("--ratings jester-like --rank 3 --ranks 1-4,7 --epochs 5 --lr 0.1 --method elbo_by_hand:recipe=reference",
          "--ratings mine.csv --split 0.8,0.1,0.1 --scale 1,5 --guide low_rank:columns=2 --noise-variance 0.5 "
          "--columns user=1,item=2,rating=3"),
    "3": ("--kernel row_gibbs --model noise+biases --sweeps 20 --burn-in 5 --thin 2 --chains 2 --rank 2 --seed 7",
          "--compare coordinate_ascent --ranks none --subsample 0.5 --prior-variance 2 --data-seed 3 --recommend 7 "
          "--top 4 --clip")}
PARSERS = {problem: run.parser_for(problem) for problem in WORDS}


def words() -> list[bytes]:
    return [f"--problem {problem} {line}".encode() for problem, lines in WORDS.items() for line in lines]


def read_words(path: Path) -> object:
    """A line of words, as far as they are looked at before a folder is made."""
    try:
        argv = [os.fsdecode(word.encode("utf-8", "surrogateescape").replace(b"\0", b"")) for word in
                shlex.split(path.read_bytes().decode("utf-8", "surrogateescape"))]
    except ValueError:  # a quotation mark that the shell would wait for
        return None
    try:
        return asked(argv)
    except OSError as error:  # a path too long: the door says it so
        raise InputError(files.said(error)) from None


def asked(argv: list[str]) -> object:
    from runs.started import executed

    at = argv.index("--problem") if "--problem" in argv else -1
    problem = argv[at + 1] if 0 <= at < len(argv) - 1 else "1"
    if any(p.exists() for p in executed(argv)) or {"-h", "--help"} & set(argv) or problem not in PARSERS:
        return None
    inside, parser = run.experiment(problem), PARSERS[problem]
    args = parser.parse_args(argv)
    if args.sweep:
        values = cells.swept(args.sweep, parser)
        return values if np.prod([len(v) for v in values.values()]) > 20 else len(
            cells.cells(values, ["--problem", problem], path_of_nothing(), parser, inside.Request))
    request = inside.Request.made(vars(args), argv)
    request.refuse_idle([request])
    for name in dir(inside.Request):
        if isinstance(getattr(inside.Request, name), property):
            getattr(request, name)
    return [fit.name for fit in request.chosen()]


def path_of_nothing() -> Path:
    return Path("not-there")


BESIDE = {
    "uaigz": Reader(".uai.gz", lambda: [gzip.compress(GRID.encode(), mtime=0)], read_grid),
    "evid": Reader(".uai.evid", evidence, lambda path: read_evidence(path, model())),
    "mask": Reader(".npy", saved(KNOWN > 0, (KNOWN > 0).astype("i1"), (KNOWN > 0).astype(">f4")), beside.read_mask),
    "maskpng": Reader(".png", lambda: [pictured(m) for m in ("L", "LA", "1", "RGB")], beside.read_mask),
    "clamp": Reader(".npy", saved(KNOWN, KNOWN.astype("i1"), np.eye(3)[KNOWN.clip(0)]),
                    lambda path: cases.clamps(path, picture(), model())),
    "clamppng": Reader(".png", lambda: [pictured("L"), pictured("LA")],
                       lambda path: cases.clamps(path, picture(), model())),
    "truth": Reader(".npy", saved(TRUTH, TRUTH.astype("f4")), lambda path: beside.read_labels(path, picture())),
    "unary": Reader(".npy", saved(*(UNARY.astype(t) for t in ("f8", "f4", ">f8", "i8"))), read_unary),
    "upload": Reader(".png", uploads, read_upload),
    "fit": Reader(".nc", fits, read_fit),
    "pairs": Reader(".csv", lambda: [PAIRS, PAIRS.replace(b",", b"\t"), b"a,7\nb,8\n"],
                    lambda path: read_pairs(path, None, (IDS, np.array([7, 8, 9, 11])), ignore)),
    "timedpairs": Reader(".csv", lambda: [b"user,item,time\na,7,5\nb,8,2014-05-03\n", b"a,7,5\nb,8,9\n"],
                         lambda path: read_timed_pairs(path, None, (IDS, np.array([7, 8, 9, 11])), ignore)),
    "users": Reader(".csv", lambda: [b"user\na\nb\n", b"a\nb\nzoe\n"],
                    lambda path: read_users(path, None, (IDS,), ignore)),
    "newusers": Reader(".csv", new_users, read_new_users),
    "side": Reader(".csv", tables_of_users, read_side),
    "page": Reader(".json", page, read_page),
    "cached": Reader(".npz", cached, read_cached),
    "words": Reader(".txt", words, read_words),
}
