"""Label images: every form read and written, and the built-in ones."""


import numpy as np
import pytest
import torch
from PIL import Image, ImageColor, PngImagePlugin

from data.images import BUILTIN, PALETTE, builtin, clean, load_image, read_image, read_picture, write_image
from data.png import MARK
from errors import InputError
from tests.support import OUTSIDE

SHARED = OUTSIDE / "images"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the course's images are not beside the project")


def rgb(path, rows):
    """Write a PNG of '#rrggbb' or (r, g, b, a) pixels."""
    pixels = [[ImageColor.getcolor(p, "RGBA") if isinstance(p, str) else p for p in row] for row in rows]
    Image.fromarray(np.array(pixels, dtype=np.uint8)).save(path)
    return path


def npy(path, values, dtype=None):
    np.save(path, np.array(values, dtype=dtype))
    return path


@pytest.mark.parametrize("dtype", ["int8", "int64", "float32"])
def test_integer_labels_with_unobserved_pixels(tmp_path, dtype):
    image = read_image(npy(tmp_path / "a.npy", [[0, 2], [-1, 1]], dtype))
    assert image.dtype == torch.float64
    assert image.tolist() == [[[1, 0, 0], [0, 0, 1]], [[0, 0, 0], [0, 1, 0]]]


def test_one_hot_keeps_pixels_with_no_label_and_with_two(tmp_path):
    values = [[[1, 0, 0], [0, 0, 0], [1, 0, 1]]]
    assert read_image(npy(tmp_path / "a.npy", values, bool)).tolist() == values


def test_the_number_of_labels_can_be_given(tmp_path):
    path = npy(tmp_path / "a.npy", [[0, 0], [0, 0]])
    assert read_image(path, labels=3).shape == (2, 2, 3)
    path = npy(tmp_path / "b.npy", [[[1.0, 0, 0], [0, 1, 0]]])
    assert read_image(path, labels=2).tolist() == [[[1, 0], [0, 1]]]  # the third plane is empty
    assert read_image(path, labels=4).shape == (1, 2, 4)


@needs_shared
def test_the_reference_image_is_the_built_in_small():
    assert torch.equal(read_image(SHARED / "small.npy", labels=2), load_image("small"))
    flag = read_image(SHARED / "flag.npy")
    assert flag.shape == (100, 100, 3) and bool((flag.sum(-1) == 1).all())


def test_nearest_colour_of_a_palette_in_the_order_given(tmp_path):
    path = rgb(tmp_path / "a.png", [["#101010", "#eeeeee"], ["#f01010", "#ffffff"]])
    image = read_image(path, palette=["white", "#ff0000", (0, 0, 0)])
    assert image.argmax(-1).tolist() == [[2, 0], [1, 0]]


def test_own_colours_are_labels_from_dark_to_light(tmp_path):
    path = rgb(tmp_path / "a.png", [["#ffffff", "#000000", "#ff0000", "#00ff00"]])
    assert read_image(path).argmax(-1).tolist() == [[3, 0, 1, 2]]
    assert read_image(path, labels=5).shape == (1, 4, 5)


@pytest.mark.parametrize("mode", ["1", "L", "I;16", "P", "LA", "RGB"])
def test_every_kind_of_png_pixel(tmp_path, mode):
    grey = np.array([[0, 255, 255], [255, 0, 255]], dtype=np.uint8)
    picture = Image.fromarray(grey.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(grey).convert(mode)
    picture.save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").argmax(-1).tolist() == [[0, 1, 1], [1, 0, 1]]


def test_transparent_pixels_are_unobserved(tmp_path):
    path = rgb(tmp_path / "a.png", [["#000000", "#ffffff", (9, 9, 9, 0)]])
    assert read_image(path).tolist() == [[[1, 0], [0, 1], [0, 0]]]


@pytest.mark.parametrize("name", ["a.npy", "a.png"])
def test_what_is_written_reads_back(tmp_path, name):
    rng = torch.Generator().manual_seed(0)
    for K in (2, 3, 8):
        labels = torch.randint(-1, K, (7, 5), generator=rng)
        labels[0, 0] = K - 1
        write_image(tmp_path / name, labels)
        image = read_image(tmp_path / name)
        assert image.shape == (7, 5, K)
        assert torch.equal(torch.where(image.sum(-1) > 0, image.argmax(-1), -1), labels)
        write_image(tmp_path / name, image)
        assert torch.equal(read_image(tmp_path / name), image)


def test_a_png_remembers_labels_that_no_pixel_has(tmp_path):
    write_image(tmp_path / "a.png", torch.zeros(2, 2, dtype=torch.int64), labels=3)
    assert read_image(tmp_path / "a.png").tolist() == [[[1, 0, 0]] * 2] * 2


def test_an_edited_png_of_ours_still_has_our_palette(tmp_path):
    """An editor keeps the colours and may turn the indices into RGB; the label order must survive."""
    write_image(tmp_path / "a.png", torch.tensor([[0, 1, 2]]))
    picture = Image.open(tmp_path / "a.png")
    text = PngImagePlugin.PngInfo()
    text.add_text(MARK, str(picture.info[MARK]))
    picture.convert("RGB").save(tmp_path / "b.png", pnginfo=text)
    assert read_image(tmp_path / "b.png").argmax(-1).tolist() == [[0, 1, 2]]
    assert picture.convert("RGB").getpixel((1, 0)) == ImageColor.getrgb(PALETTE[1])


def test_small_is_the_reference_image():
    assert clean("small").tolist() == [[0, 0, 0], [0, 0, 0], [1, 1, 1]]
    assert builtin("small", torch.Generator()).tolist() == [[[1, 0]] * 3, [[1, 0]] * 3, [[0, 1]] * 3]


@pytest.mark.parametrize("name, shape, noise", [
    ("spiral", (640, 640, 2), 0.02), ("flag", (100, 100, 3), 0.2), ("bullseye", (100, 100, 3), 0.2)])
def test_noise_has_its_rate_and_takes_every_other_label(name, shape, noise):
    """Normal approximations at 5.5 standard deviations: false alarm 4e-8 each."""
    truth, image = clean(name), load_image(name, seed=4)
    assert image.shape == shape and bool((image.sum(-1) == 1).all())
    flipped = image.argmax(-1) != truth
    n = flipped.numel()
    assert abs(float(flipped.double().mean()) - noise) < 5.5 * (noise * (1 - noise) / n) ** 0.5
    if shape[2] == 3:
        up = (image.argmax(-1) - truth)[flipped] % 3 == 1
        assert abs(float(up.double().mean()) - 0.5) < 5.5 * 0.5 / len(up) ** 0.5


def test_pictures_show_what_they_are_called():
    """A ray from a spiral's centre meets the stroke once a turn; rings look the same turned; a cross has arms."""
    spiral = clean("spiral")
    for ray in (spiral[335, 305:], spiral[335, :305].flip(0), spiral[335:, 305], spiral[:335, 305].flip(0)):
        assert 4 <= int((ray.diff() == 1).sum()) <= 5
    bullseye = clean("bullseye")
    assert torch.equal(bullseye, bullseye.rot90())
    assert bullseye[50, 50:].unique_consecutive().tolist() == [1, 2, 0, 1, 2, 0]
    flag = clean("flag")
    assert flag[5].unique_consecutive().tolist() == flag[:, 5].unique_consecutive().tolist() == [0, 1, 2, 1, 0]


def test_the_seed_decides_and_global_state_is_left_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    assert torch.equal(load_image("flag", seed=1), load_image("flag", seed=1))
    assert not torch.equal(load_image("flag", seed=1), load_image("flag", seed=2))
    assert torch.equal(before, torch.get_rng_state())
    assert set(BUILTIN) == {"small", "spiral", "flag", "bullseye"}


def test_one_door_for_names_and_files(tmp_path):
    path = npy(tmp_path / "a.npy", [[0, 1]])
    assert torch.equal(load_image(path), load_image(str(path)))
    assert load_image("small", labels=3).shape == (3, 3, 3)


def test_as_many_labels_as_colours_or_more_take_the_images_own(tmp_path):
    """Unasked, more than 16 colours are none that labels have."""
    grey = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
    Image.fromarray(np.stack([grey] * 3, -1)).save(tmp_path / "many.png")
    with pytest.raises(InputError, match="has 24 colours, more than the 16"):
        read_picture(tmp_path / "many.png")
    asked = read_picture(tmp_path / "many.png", 300)
    assert asked.palette[:24] == tuple(f"#{10 * k:02x}" + f"{10 * k:02x}" * 2 for k in range(24))
    assert np.array_equal(asked.image.argmax(-1).flatten(), range(24)) and asked.image.shape[-1] == 300
