"""Whatever the bytes of a file, its reader gives a value or one sentence: mutants of whole files, and those that were
once answered by a traceback, by gigabytes or by a page of text, made anew here."""

import bz2
import gzip
import io
import json
import lzma
import struct
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from arrays import read_npy
from data.rating_files import read_ratings
from errors import InputError
from files import seal
from inference import checkpoint, job
from inference.checkpoint import TREE
from inference.result import Result
from tests.support import OUTSIDE
from tests.support.judged import fault
from tests.support.mutants import OWN, json_changed
from tests.support.readers import MATRIX, READERS, a_job

CASES = OUTSIDE.parent / "cases" / "readers"
EXAMPLES = {"nc": 30, "ckpt": 30, "journal": 30}  # of the others 50: they are faster; `bench/fuzz` tries far more
EXTREMES = (0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**64 - 1)
WORDS = (b"-1", b"nan", b"1e999", b"99999999999999999999", b"9" * 5000, b"\0", b"\x1b[2J", b"\xff", b"[" * 3000, b"()")

place = st.integers(0, 2**20)
edit = st.one_of(
    st.tuples(st.just("flip"), place, st.integers(0, 7)), st.tuples(st.just("cut"), place, st.none()),
    st.tuples(st.just("put"), place, st.sampled_from([n.to_bytes(w, e) for n in EXTREMES for w in (1, 2, 4, 8)
                                                      for e in ("big", "little") if n < 256**w])),
    st.tuples(st.just("insert"), place, st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from(WORDS))),
    st.tuples(st.just("drop"), place, st.integers(1, 64)), st.tuples(st.just("splice"), place, place),
    st.tuples(st.just("own"), st.integers(0, 2**32 - 1), st.none()))


def edited(name: str, number: int, edits: list) -> bytes:
    """A whole file of that reader with these changes, one after the other."""
    seeds = READERS[name].seeds()
    raw = seeds[number % len(seeds)]
    for how, at, what in edits:
        k = at % (len(raw) + 1)
        if how == "flip" and k < len(raw):
            raw = raw[:k] + bytes([raw[k] ^ 1 << what]) + raw[k + 1:]
        elif how == "cut":
            raw = raw[:k]
        elif how == "put":
            raw = raw[:k] + what + raw[k + len(what):]
        elif how == "insert":
            raw = raw[:k] + what + raw[k:]
        elif how == "drop":
            raw = raw[:k] + raw[k + what:]
        elif how == "splice":
            other = seeds[what % len(seeds)]
            raw = raw[:k] + other[what % (len(other) + 1):]
        elif how == "own" and name in OWN:
            rng = np.random.default_rng(at)
            raw = OWN[name][at % len(OWN[name])](rng, raw)
    return raw


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("r")


def judged(folder: Path, name: str, raw: bytes) -> str:
    path = folder / f"a{READERS[name].suffix}"
    path.write_bytes(raw)
    return fault(READERS[name].read, path)


@pytest.mark.parametrize("name", READERS)
def test_a_whole_file_is_read(folder, name):
    for raw in READERS[name].seeds():
        path = folder / f"a{READERS[name].suffix}"
        path.write_bytes(raw)
        if name != "runjson":  # its run is another one, which is said
            READERS[name].read(path)
        assert judged(folder, name, raw) == ""


@pytest.mark.parametrize("name", READERS)
def test_a_mutant_is_a_value_or_one_sentence(folder, name):
    @settings(derandomize=True, deadline=None, database=None, max_examples=EXAMPLES.get(name, 50),
              suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 99), st.lists(edit, min_size=1, max_size=4))
    def never_fails(number, edits):
        assert judged(folder, name, edited(name, number, edits)) == ""

    never_fails()


def test_a_reader_that_fails_is_noticed(folder):
    """By the judge of these tests: a traceback, a long sentence, one with control characters, time and memory."""
    def raises(error):
        def read(path):
            raise error
        return read

    def slow(path):
        started = time.process_time()
        while time.process_time() - started < 1.1:
            sum(range(10**6))

    path = folder / "a.npy"
    path.write_bytes(b"x")
    assert "KeyError" in fault(raises(KeyError("x")), path)
    assert "300 characters" in fault(raises(InputError("x" * 301)), path)
    assert "printable" in fault(raises(InputError("\x1b[31m")), path)
    assert fault(raises(InputError("x" * 300)), path) == ""
    assert "more than 1 s" in fault(slow, path)
    if Path("/proc/self/clear_refs").exists():
        assert "memory" in fault(lambda path: np.ones(2 * 10**7), path)


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases of wrong files are not beside the project")
@pytest.mark.parametrize("name", [f.name for f in sorted(CASES.glob("*"))] if CASES.is_dir() else [])
def test_cases(folder, name):
    assert judged(folder, name.partition("-")[0], (CASES / name).read_bytes()) == ""


def npy(header: str, version: int = 1, data: bytes = b"") -> bytes:
    size = len(header).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + size + header.encode() + data


def described(descr: str = "'<i8'", shape: str = "(2, 3)") -> bytes:
    return npy(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}", data=bytes(48))


def png(W: int, H: int, data: bytes, depth: int = 8, kind: int = 0) -> bytes:
    parts = (b"IHDR", struct.pack(">IIBBBBB", W, H, depth, kind, 0, 0, 0)), (b"IDAT", data), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts)


def sixteen(side: int) -> bytes:
    """Bands of sixteen greys."""
    bands = np.repeat(np.arange(16, dtype=np.uint8) * 16, -(-side * side // 16))[:side * side].reshape(side, side)
    file = io.BytesIO()
    Image.fromarray(bands).save(file, "PNG", optimize=True)
    return file.getvalue()


def rows(count: int) -> bytes:
    """A Parquet file of so many ratings, all the same, in a few kilobytes."""
    ones = pa.repeat(pa.scalar(1), count)
    file = io.BytesIO()
    parquet.write_table(pa.table({"user": ones, "item": ones, "rating": ones}), file)
    return file.getvalue()


SMALL = zlib.compress(b"\0\0\xff" * 2)
WRONG = {
    "a zip of four bytes": ("npy", b"PK\3\4", "several arrays"),
    "a header of 4 GB": ("npy", b"\x93NUMPY\3\0\xff\xff\xff\xff{", "cut short"),
    "a shape of truths": ("npy", described(shape="(True, 3)"), "its header is"),
    "a shape of words": ("npy", described(shape="(2, 'x')"), "its header is"),
    "brackets without end": ("npy", described(shape="(" * 3000), "its header is"),
    "8 TB": ("npy", described(shape="(1000000, 1000000)"), "is cut short: its header says 1000000 x 1000000"),
    "beyond 64 bits": ("npy", described(shape="(99999999999, 99999999999)"), "no array that fits anywhere"),
    "nothing, times much": ("npy", described(shape="(0, 99999999999, 99999999999)"), "no array that fits anywhere"),
    "5,000 digits": ("npy", described(shape=f"({'9' * 5000}, 1)"), "its header is"),
    "no such type": ("npy", described(descr="'<i9'"), "no type '<i9'"),
    "a pickle": ("npy", described(descr="'|O'"), "its header is"),
    "a structure": ("npy", described(descr="[('a', '<f8')]"), "its header is"),
    "long double": ("npy", described(descr="'<f16'", shape="(1, 3)"), "float128"),
    "labels of 300 digits": ("npy", described("'<f8'", "(1, 1)")[:-48] + struct.pack("<d", 1e300), "a label 1e+300"),
    "12,000 x 12,000 in nothing": ("png", png(12000, 12000, SMALL), "12000 x 12000 pixels, in a file of"),
    "20,000 x 20,000 in nothing": ("png", png(20000, 20000, SMALL), "400000000 pixels"),
    "a bomb": ("png", lambda: png(12000, 12000, zlib.compress(bytes(12000 * 1501)), 1),
               "give so large an image as .npy"),
    "a chunk of 4 GB": ("png", png(2, 2, SMALL)[:33] + b"\xff\xff\xff\x22IDAT" + SMALL[:3], "cannot be read as"),
    "EPS, which runs a program": ("png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
    "3,000,000,000 states": ("uai", b"MARKOV 1 3000000000 0", "1 variables of 3000000000 states"),
    "20,000 states, twice": ("uai", b"MARKOV 2 20000 20000 0", "2 variables of 20000 states"),
    "40 digits": ("uai", b"MARKOV 1 " + b"9" * 40 + b" 0", "is no whole number"),
    "4,000 digits, squared": ("uai", b"MARKOV 2" + 2 * (b" " + b"9" * 4000) + b" 1 2 0 1 1 1", "is no whole number"),
    "escapes": ("uai", b"MARKOV 1 2 1 1 0 2 1 \x1b[2J", "'?[2J' is no number"),
    "a variable of 4,000 digits": ("fg", b"1 2 0 1 " + b"9" * 4000 + b" 2", "is no whole number"),
    "3,000,000,000 states, two of them listed": ("fg", b"1 1 0 3000000000 2 0 1 1 2", "so empty is not read"),
    "a marginal of 4,000 states": ("mar", b"MAR 1 4000" + b" 7.25" * 4000, "not a distribution"),
    "a chunk of pixels of 4 GB": ("png", png(2, 2, SMALL)[:33] + b"\xff\xff\xff\0IDAT" + SMALL, "damaged or cut short"),
    "16 labels, a million times": ("png", lambda: sixteen(1000), "1000 x 1000 pixels, in a file of"),
    "an id of 5,000 digits": ("csv", b"user,item,rating\n" + b"9" * 5000 + b",1,x\n", "holds words, x: write a number"),
    "300 MB of noughts, by gzip": ("gz", lambda: gzip.compress(b"0" * 3 * 10**8, 1), "times its size or more"),
    "and by bzip2": ("bz2", lambda: bz2.compress(b"0" * 10**8), "times its size or more"),
    "and by xz": ("xz", lambda: lzma.compress(b"0" * 10**7), "times its size or more"),
    "5,000,000 rows of nothing": ("parquet", lambda: rows(5 * 10**6), "5000000 rows of 3 columns, in a file of"),
    "entries of 5,000 digits": ("mtx", MATRIX.replace(b"5\n", b"9" * 5000 + b"\n", 1), "rows, columns and entries"),
    "JSON for ratings": ("csv", b'[{"user": 1, "item": 2, "rating": 3}]', "is JSON: save it as CSV"),
    "JSON by lines": ("csv", b'{"user": 1, "item": 2, "rating": 3}\n' * 2, "is JSON: save it as CSV"),
    "a number": ("runjson", b"0", "not what this version writes"),
    "a word too few": ("runjson", json.dumps({"argv": [], "cwd": "/"}).encode(), "not what this version writes"),
    "a tree without end": ("runjson", b"[" * 10**5, "is not JSON"),
    "no text": ("runjson", b"\xff\xfe{", "is not JSON"),
    "too much": ("runjson", b" " * 5 * 10**6 + b"{}", "has more than"),
    "a list for a sweep": ("sweepjson", b"[1]", None),
    "a sweep of numbers": ("sweepjson", b'{"cells": {"a": 1}}', None),
    "brackets for a sweep": ("sweepjson", b"[" * 10**5, None),
    "a quotation mark for a user": ("users", b'user\na\n"\n', "has no user id"),
    "a program for an upload": ("upload", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no image"),
    "6,000 x 6,000 for an upload": ("upload", png(6000, 6000, SMALL), "36,000,000 pixels"),
    "half an upload": ("upload", png(200, 200, SMALL), "no image"),
    "an unknown option of 5,000 letters": ("words", b"--" + b"x" * 5000, "unrecognized arguments: --xxx"),
    "an escape for a number": ("words", b"--seed \x1b[2J", "invalid int value"),
    "a method of no name": ("words", b"--method nothing", "unknown method 'nothing'"),
    "an option that none of them has": ("words", b"--set nothing=1", "is of no use to"),
    "a path of 5,000 letters": ("words", b"--image " + b"a/" * 2500, "File name too long"),
    "no page": ("page", b"{}", "not what this version writes"),
    "no result": ("nc", b"\x89HDF\r\n\x1a\n" + bytes(500), "damaged"),
    "no checkpoint": ("ckpt", b"\x93NUMPY", "damaged"),
}


@pytest.mark.parametrize("name, raw, words", WRONG.values(), ids=WRONG)
def test_what_once_failed(folder, name, raw, words):
    raw = raw() if callable(raw) else raw  # large ones are made when they are asked for
    assert judged(folder, name, raw) == ""
    path = folder / f"a{READERS[name].suffix}"
    path.write_bytes(raw)
    if words is None:
        assert READERS[name].read(path) == []
        return
    if name == "upload":
        assert words in str(READERS[name].read(path))
        return
    with pytest.raises(InputError) as error:
        READERS[name].read(path)
    assert words in str(error.value)


def page_json(**values: object) -> bytes:
    return json.dumps(json.loads(READERS["page"].seeds()[0]) | values).encode()


def figure(path: str) -> list[object]:
    part = json.loads(READERS["page"].seeds()[0])["parts"][0]
    return [part | {"figures": [{"path": path, "caption": "x"}]}]


@pytest.mark.parametrize("raw", [
    page_json(parts=figure("../secret.svg")), page_json(parts=figure("/dev/zero")), page_json(parts=figure("b.svg")),
    page_json(parts=1), page_json(title=1), page_json(title="\ud800"), page_json(colours={"a": "url(//elsewhere)"}),
    page_json(checkpoints={"title": "", "columns": ["a", "b"], "rows": [["x"]], "spare": [], "prose": []}),
    page_json(made=None), page_json(more=1), b"[1]"])
def test_a_page_that_no_run_wrote(folder, raw):
    """In the folder of a `--problem all` that goes on: nothing outside of it is put into the report."""
    (folder / "secret.svg").write_text("<svg/>")
    (folder / "report.json").write_bytes(raw)
    with pytest.raises(InputError, match="not what this version writes"):
        READERS["page"].read(folder / "report.json")


def run_json(**values: object) -> bytes:
    return json.dumps(json.loads(READERS["runjson"].seeds()[0]) | values).encode()


@pytest.mark.parametrize("raw", [
    run_json(argv="abc"), run_json(argv=[1]), run_json(argv=["\0"]), run_json(argv=["\ud800"]),
    run_json(argv=["x" * 5000]), run_json(files=[]), run_json(files={"a\x1b": "0"}), run_json(files={"a": None}),
    run_json(cwd=5), run_json(cwd="a\nb"), run_json(more=1)])
def test_a_run_json_of_other_types_or_unspeakable_words(folder, raw):
    (folder / "run.json").write_bytes(raw)
    with pytest.raises(InputError, match=r"not what this version writes"):
        READERS["runjson"].read(folder / "run.json")


def resealed(folder: Path, tree: object, arrays: dict[str, np.ndarray], how=np.savez) -> Path:
    """A checkpoint that holds something else, by somebody who knows the fingerprint at its end."""
    path = folder / "forged.npz"
    with open(path, "wb") as file:
        how(file, **{TREE: np.frombuffer(json.dumps(tree).encode(), np.uint8)}, **arrays)
    seal(path)
    return path


@pytest.mark.parametrize("tree", [
    None, 1, [], {}, {"tensor": "b", "cpu": True}, {"tensor": "a"}, {"dataclass": "State", "fields": {}}, {"list": 1},
    {"dataclass": "Popen", "fields": {"args": "ls"}}, {"dict": [1]}, {"dict": [[{"list": []}, 1]]}, {"dict": []},
    {"dict": [["identity", {"dict": []}], ["run", {"dict": []}]]}, {"tuple": [{"x": 1}]}])
def test_a_forged_checkpoint_is_one_sentence(folder, tree):
    path = resealed(folder, tree, {"a": np.zeros(2)})
    assert fault(READERS["ckpt"].read, path) == ""
    with pytest.raises(InputError, match="delete it to start"):
        READERS["ckpt"].read(path)


@pytest.mark.parametrize("field, value", [
    ("states", 1), ("states", {"list": []}), ("generators", {"dict": []}), ("trace", {"list": [1]}), ("words", 1),
    ("trace", {"list": [{"list": [{"dict": [["x", "y"]]}] * 2}]}), ("seconds", {"list": []}), ("thin", 0),
    ("draws", {"dict": [["x", 1]]}), ("loading", None), ("memories", {"list": [1]})])
def test_a_checkpoint_whose_run_has_other_fields_is_one_sentence(folder, field, value):
    """A whole one with one field of the Run replaced, and the fingerprint put right."""
    raw = READERS["ckpt"].seeds()[0]
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        arrays = {name.removesuffix(".npy"): np.load(io.BytesIO(archive.read(name))) for name in archive.namelist()}
    tree = json.loads(arrays.pop(TREE).tobytes())
    run = dict(tree["dict"])["run"]["dict"]
    run[:] = [[name, value if name == field else old] for name, old in run]
    path = resealed(folder, tree, arrays)
    with pytest.raises(InputError, match="holds no run of gibbs"):
        job.resume(path, a_job("gibbs"), torch.device("cpu"))


def test_a_compressed_checkpoint_is_not_unpacked(folder):
    path = resealed(folder, 1, {"a": np.zeros(10**6)}, np.savez_compressed)
    with pytest.raises(InputError, match="compressed"):
        READERS["ckpt"].read(path)


def forged(folder: Path, change) -> Path:
    """A result that HDF5 finds in order, changed and with its fingerprint put right."""
    import h5py

    path = folder / "forged.nc"
    path.write_bytes(READERS["nc"].seeds()[0][:-110])
    with h5py.File(path, "r+") as file:
        change(file)
    seal(path)
    return path


def header(**values: object):
    def change(file):
        file.attrs["header"] = json.dumps(json.loads(file.attrs["header"]) | values)
    return change


def without(name: str):
    def change(file):
        del file[name]
    return change


@pytest.mark.parametrize("change, words", [
    (header(seed="x"), "'seed' is x"), (header(dims=[]), "'dims'"), (header(dims={"a": 1}), "'dims'"),
    (header(facts=None), "'facts' is None"), (header(more=1), "another version"),
    (header(log_evidence="x" * 999), "..."), (without("trace/seconds"), "how many seconds"),
    (without("trace"), "how many seconds"), (lambda file: file.attrs.pop("header"), "header"),
    (header(facts={"problem": 1}), "of what model and data"),
    (header(facts={"problem": "grid", "model": {}, "data": {"image": 1}}), "of what model and data")])
def test_a_forged_result_is_one_sentence(folder, change, words):
    path = forged(folder, change)
    assert fault(READERS["nc"].read, path) == ""
    with pytest.raises(InputError) as error:
        READERS["nc"].read(path)
    assert words in str(error.value)


def test_a_forged_result_of_no_labels_has_no_marginals(folder):
    import h5py

    path = folder / "forged.nc"
    path.write_bytes(READERS["nc"].seeds()[0][:-110])
    with h5py.File(path, "r+") as file:
        whole = np.asarray(file["expected/labels"])
        del file["expected/labels"]
        file["expected/labels"] = whole[..., :0]
    seal(path)
    assert fault(READERS["nc"].read, path) == ""


def of_model(**values: object):
    def change(file):
        said = json.loads(file.attrs["header"])
        said["facts"]["model"] |= values
        file.attrs["header"] = json.dumps(said)
    return change


def to(name: str, value: float, index: object = ...):
    def change(file):
        file[name][index] = value
    return change


@pytest.mark.parametrize("change, words", [
    (of_model(rank="2"), "'rank'"), (of_model(num_users=10**9), "'user_count'"), (of_model(noise="yes"), "'noise'"),
    (of_model(prior_variance=10**400), "'prior_variance'"), (of_model(device="cuda:7"), "'device'"),
    (of_model(rank=3), "'mean_U'"), (without("constant_data/test_rating"), "'test_rating'"),
    (without("constant_data/user_mean"), "'user_mean'"), (to("constant_data/rated_item", 200), "'rated_item'"),
    (to("constant_data/user_count", 3), "'user_count'"), (to("constant_data/test_of_user", 77, 0), "'test_of_user'"),
    (to("constant_data/rating_variance", -1), "'rating_variance'"), (to("constant_data/level", 1), "'level'"),
    (to("latents/U", float("nan"), (0, 0, 0, 0)), "'U'"), (to("latents/sigma2", -1, (0, 0)), "'sigma2'"),
    (to("latents/precision_V", 0), "'precision_V'"), (to("latents/V", 1e30, (0, 0, 0, 0)), None)])
def test_a_forged_fit_is_one_sentence(folder, change, words):
    """Of a fit whose arrays do not go with one another, or whose numbers none can be; a number may be large."""
    import h5py

    path = folder / "fit.nc"
    path.write_bytes(READERS["fit"].seeds()[0][:-110])
    with h5py.File(path, "r+") as file:
        change(file)
    seal(path)
    assert fault(READERS["fit"].read, path) == ""
    if words is not None:
        with pytest.raises(InputError) as error:
            READERS["fit"].read(path)
        assert words in str(error.value)


def test_what_is_appended_or_cut_off_is_noticed(folder):
    path = folder / "a.nc"
    for raw in (READERS["nc"].seeds()[0] + b"\n", READERS["nc"].seeds()[0][:-1], READERS["nc"].seeds()[0][1:]):
        path.write_bytes(raw)
        with pytest.raises(InputError, match="damaged"):
            Result.load(path)


def test_others_read_the_arrays_beside_our_fingerprint(folder):
    """xarray a result, NumPy a checkpoint."""
    import xarray as xr

    (folder / "a.nc").write_bytes(READERS["nc"].seeds()[0])
    (folder / "a.npz").write_bytes(READERS["ckpt"].seeds()[0])
    with xr.open_dataset(folder / "a.nc", group="posterior") as posterior:
        assert posterior["labels"].shape[:2] == (2, 18)
    with np.load(folder / "a.npz") as file:
        assert TREE in file.files


@pytest.mark.parametrize("digits", [21, 5000])
def test_an_id_of_very_many_digits_is_text(folder, digits):
    path = folder / "digits.csv"
    path.write_text(f"user,item,rating\n{'9' * digits},1,2\n{'9' * digits},2,3\n")
    assert read_ratings(path).user_ids == ("9" * digits,)


@pytest.mark.parametrize("kind", [">f8", ">i4", "<i2", ">u2", "<f4"])
def test_numbers_of_another_byte_order_are_read(folder, kind):
    file = io.BytesIO()
    np.save(file, np.array([[1, 2, 300]]).astype(kind))
    array = read_npy(io.BytesIO(file.getvalue()), len(file.getvalue()))
    assert array.tolist() == [[1, 2, 300]] and array.dtype.isnative and torch.from_numpy(array).shape == (1, 3)


@pytest.mark.parametrize("kind", [">f8", "<c32"])
def test_a_checkpoint_with_numbers_of_another_machine(folder, kind):
    path = resealed(folder, {"tensor": "a", "cpu": True}, {"a": np.arange(3).astype(kind)})
    if kind == ">f8":
        assert checkpoint.load(path).tolist() == [0, 1, 2]
    else:
        with pytest.raises(InputError, match="complex256"):
            checkpoint.load(path)


def test_a_mutator_of_trees_changes_them():
    """Lest the mutants be whole files."""
    raw = READERS["runjson"].seeds()[0]
    assert sum(json_changed(np.random.default_rng(k), raw) != raw for k in range(50)) > 40
