"""Images of one's own: few colours for many, the truth, masks, and labels written in the image's colours."""

import numpy as np
import pytest
import torch
from PIL import Image

from data.beside import read_labels, read_mask
from data.colours import filled
from data.images import load_picture, read_image, write_image
from data.pictures import Picture, write_labels
from errors import InputError

CENTRES = np.array([(10, 10, 20), (200, 40, 30), (90, 220, 80), (250, 250, 240)])  # from dark to light
LABELS = np.arange(48 * 40).reshape(48, 40) // 16 % 4


def photograph(path, spread=4):
    """Four colours, each of them many: the labels that made it are the answer."""
    rng = np.random.default_rng(0)
    pixels = CENTRES[LABELS] + rng.integers(-spread, spread + 1, (*LABELS.shape, 3))
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
    return path


def test_many_colours_become_labels_that_are_their_clusters(tmp_path):
    picture = load_picture(photograph(tmp_path / "a.png"), 4)
    assert np.array_equal(picture.image.argmax(-1), LABELS)
    found = np.array([[int(c[i:i + 2], 16) for i in (1, 3, 5)] for c in picture.palette])
    assert np.abs(found - CENTRES).max() <= 1 and picture.quantised > 1000
    assert f"Its {picture.quantised} colours have become 4 labels" in picture.said()[0]


def test_more_labels_than_clusters_are_still_so_many(tmp_path):
    assert load_picture(photograph(tmp_path / "a.png"), 9).image.shape == (48, 40, 9)
    Image.new("RGB", (3, 2), "#102030").save(tmp_path / "plain.png")
    plain = load_picture(tmp_path / "plain.png", 3)
    assert plain.image.shape == (2, 3, 3) and plain.palette[0] == "#102030" and len(set(plain.palette)) == 3


def test_many_colours_without_labels_say_what_to_give(tmp_path):
    with pytest.raises(InputError, match=r"how many labels to make of them \(--labels 8\)"):
        load_picture(photograph(tmp_path / "a.png"))


def test_labels_come_back_from_a_png_in_any_colours(tmp_path):
    """Light before dark, and a label that no pixel has: the file remembers both."""
    palette, labels = ("#ffffff", "#123456", "#000000"), np.array([[0, 2, -1]])
    write_labels(tmp_path / "a.png", labels, palette)
    back = load_picture(tmp_path / "a.png")
    assert back.palette == palette and back.image.tolist() == [[[1, 0, 0], [0, 0, 1], [0, 0, 0]]]
    assert back.transparent == 1 and "1 of 3 pixels (33.3%): 1 are transparent" in back.said()[0]
    assert Image.open(tmp_path / "a.png").convert("RGB").getpixel((1, 0)) == (0, 0, 0)


def test_an_image_of_many_labels_has_as_many_colours(tmp_path):
    labels = torch.arange(16).reshape(4, 4)
    write_image(tmp_path / "a.png", labels, labels=40)
    assert torch.equal(read_image(tmp_path / "a.png", 40).argmax(-1), labels)
    assert len(set(filled((), 200))) == 200


def test_the_truth_takes_the_colours_of_the_image(tmp_path):
    picture = load_picture(photograph(tmp_path / "a.png", spread=20), 4)
    clean = photograph(tmp_path / "b.png", spread=0)
    assert np.array_equal(read_labels(clean, picture), LABELS)
    np.save(tmp_path / "c.npy", LABELS[:3])
    with pytest.raises(InputError, match=r"c\.npy: has 3 x 40 pixels, but the image 48 x 40"):
        read_labels(tmp_path / "c.npy", picture)


def test_a_mask_takes_what_is_known_away(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[1, 0], [0, 1]]))
    Image.fromarray(np.array([[255, 30], [0, 140]], dtype=np.uint8)).save(tmp_path / "a.png")
    for name in ("a.npy", "a.png"):
        mask = read_mask(tmp_path / name)
        assert mask.tolist() == [[True, False], [False, True]]
        masked = Picture(torch.tensor([[[1.0, 0], [1, 0]], [[0, 1], [0, 0]]], dtype=torch.float64)).without(mask)
        assert masked.image.tolist() == [[[0, 0], [1, 0]], [[0, 1], [0, 0]]] and masked.masked == 1


@pytest.mark.parametrize(("mask", "words"), [
    ([[0, 0, 0]], "has 1 x 3 pixels, the image 1 x 2"), ([[0, 0]], "the mask changes nothing"),
    ([[0, 2]], "a mask is (H, W) of 0 and 1"), ([0, 1], "a mask is (H, W) of 0 and 1")])
def test_wrong_masks(tmp_path, mask, words):
    np.save(tmp_path / "a.npy", np.array(mask))
    with pytest.raises(InputError) as error:
        Picture(torch.ones(1, 2, 2)).without(read_mask(tmp_path / "a.npy"))
    assert words in str(error.value)
