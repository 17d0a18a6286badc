"""Every wrong image is refused in one sentence that says what is wrong with it."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageColor

from data.images import clean, load_image, read_image, write_image
from errors import InputError


def rgb(path, rows):
    """Write a PNG of '#rrggbb' or (r, g, b, a) pixels."""
    pixels = [[ImageColor.getcolor(p, "RGBA") if isinstance(p, str) else p for p in row] for row in rows]
    Image.fromarray(np.array(pixels, dtype=np.uint8)).save(path)
    return path


def npy(path, values, dtype=None):
    np.save(path, np.array(values, dtype=dtype))
    return path


def broken(tmp_path, what):
    """A file that is wrong in one way."""
    path = tmp_path / "a.npy"
    if what == "pickled":
        np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    elif what == "several":
        with open(path, "wb") as file:
            np.savez(file, a=np.zeros(2), b=np.zeros(2))
    elif what == "cut npy":
        path.write_bytes(npy(tmp_path / "whole.npy", np.zeros((9, 9))).read_bytes()[:-8])
    elif what == "nothing":
        path.write_bytes(b"")
    elif what == "text":
        path = tmp_path / "a.png"
        path.write_text("hello")
    elif what == "cut png":
        path = tmp_path / "a.png"
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 50, 3)).astype(np.uint8)).save(path)
        path.write_bytes(path.read_bytes()[:3000])
    return path


@pytest.mark.parametrize("what, words", [
    ("missing", "no such file"), ("pickled", "array of numbers"), ("several", "several arrays"),
    ("cut npy", "cut short"), ("nothing", "cut short"), ("text", "not an image"), ("cut png", "cannot be read"),
])
def test_broken_files(tmp_path, what, words):
    path = broken(tmp_path, what)
    with pytest.raises(InputError, match=words) as error:
        load_image(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


@pytest.mark.parametrize("values, labels, words", [
    (np.zeros(4), None, "(H, W)"),
    (np.zeros((2, 2, 2, 2)), None, "(H, W)"),
    (np.zeros((2, 2), dtype=complex), None, "complex128"),
    (np.zeros((0, 3)), None, "empty"),
    (np.zeros((3, 3, 0)), None, "empty"),
    ([[0, np.nan]], None, "NaN"),
    ([[[0, np.inf]]], None, "NaN or infinity"),
    ([[0, 0.5]], None, "whole numbers"),
    ([[0, -2, 1]], None, "-1 where unobserved"),
    ([[0, 1, 2]], 2, "from 0 to 1"),
    ([[[0, 0, 1.0]]], 2, "label 2"),
    ([[[0, 3, 1]]], None, "one plane per label"),
    ([[0, 255]], None, "--labels 256"),
    ([[0, 0]], None, "at least 2 labels, not 1"),
    ([[-1, -1]], None, "at least 2 labels, not 0"),
    ([[[1], [1]]], None, "at least 2 labels"),
    ([[0, 1]], 1, "at least 2 labels"),
    ([[0, 1]], -3, "at least 2 labels"),
])
def test_wrong_arrays(tmp_path, values, labels, words):
    with pytest.raises(InputError) as error:
        read_image(npy(tmp_path / "a.npy", values), labels)
    assert words in str(error.value)


@pytest.mark.parametrize("pixels, labels, palette, words", [
    ([[(i, i, i, 255) for i in range(17)]], None, None, "has 17 colours, more than the 16"),
    ([["#000000", "#ffffff"]], 3, ["black", "white"], "2 colours, but 3 labels"),
    ([["#000000", "#ffffff"]], None, ["black", "whitish"], "'whitish' is not a colour"),
    ([["#000000", "#ffffff"]], None, ["black"], "at least 2 colours"),
    ([["#000000", "#ffffff"]], None, [(0, 0, 256), (1, 1, 1)], "from 0 to 255"),
    ([["#000000", "#ffffff"]], None, ["black", "#000"], "same colour twice"),
    ([["#000000", "#000000"]], None, None, "at least 2 labels"),
    ([[(0, 0, 0, 0)]], None, None, "at least 2 labels"),
])
def test_wrong_colours(tmp_path, pixels, labels, palette, words):
    with pytest.raises(InputError) as error:
        read_image(rgb(tmp_path / "a.png", pixels), labels, palette)
    assert words in str(error.value)


def test_wrong_names_and_wrong_places(tmp_path):
    with pytest.raises(InputError, match="did you mean 'spiral'"):
        load_image("sprial")
    with pytest.raises(InputError, match="unknown image"):
        clean("nothing")
    with pytest.raises(InputError, match="not a file"):
        load_image(tmp_path)
    with pytest.raises(InputError, match="grid model"):
        (tmp_path / "a.uai").write_text("MARKOV")
        load_image(tmp_path / "a.uai")
    for read in (lambda: load_image("flag", palette=["black", "white"]),
                 lambda: read_image(npy(tmp_path / "a.npy", [[0, 1]]), palette=["black", "white"])):
        with pytest.raises(InputError, match="palette is for PNG"):
            read()


@pytest.mark.parametrize("name, image, words", [
    ("a.gif", torch.tensor([[0, 1]]), ".npy or .png"),
    ("a.png", torch.eye(256)[None], "write .npy instead"),
    ("a.png", torch.tensor([[[1, 1], [0, 1]]]), "1 pixels have several"),
    ("a.npy", torch.tensor([0, 1]), "(H, W)"),
    ("no/such/a.npy", torch.tensor([[0, 1]]), "cannot be written"),
    ("no/such/a.png", torch.tensor([[0, 1]]), "cannot be written"),
])
def test_what_cannot_be_written(tmp_path, name, image, words):
    with pytest.raises(InputError) as error:
        write_image(tmp_path / name, image)
    assert words in str(error.value)
