"""What the page on denoising shows, against the library's answers and by hand."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from inference import load
from inference.drive import drive
from inference.job import Plan
from playground import denoising, svg
from playground.steps import STEPS, Film, film, noisy

CLEAN = (0, 0, 1, 0, 1, 1, 0, 0, 1)
SCENE = denoising.scene(CLEAN, 3, 2, 0.2, 1, 1.5, 0.7, 0.8)


def enumerated(model):
    """Marginals and log Z from all labellings."""
    y = model.configurations
    scores = model.log_joint({"labels": y}, None)
    p = torch.softmax(scores, 0)
    onehot = torch.nn.functional.one_hot(y, 2).double()
    return torch.einsum("c,chwk->hwk", p, onehot).numpy(), float(torch.logsumexp(scores, 0))


def test_the_exact_panel_and_the_level_are_those_of_enumeration():
    marginals, log_z = enumerated(SCENE.model)
    films = denoising.films(SCENE)
    shown = {panel.name: panel for panel in denoising.panels(SCENE, CLEAN, films, STEPS)}
    assert np.abs(shown["strip (exact)"].marginals - marginals).max() < 1e-12
    series, level = denoising.ladder(films)
    assert level == ("exact", pytest.approx(log_z, abs=1e-10)) and max(series["mean_field"]) <= log_z + 1e-10
    far = np.abs(films["mean_field"].at(STEPS) - marginals).max()
    assert shown["mean_field"].said.endswith(f"off by up to {far:.3f}") and set(series) == {"mean_field", "loopy_bp"}


def test_a_film_is_what_a_run_of_so_many_steps_gives():
    for name in ("mean_field", "loopy_bp"):
        for steps in (1, 4):
            result = drive(load.method("grid", name), SCENE.model, None, Plan(steps))
            expected = np.asarray(result.expected["labels"])
            assert np.array_equal(film(name, SCENE).marginals[steps - 1], expected), name
    refused = film("min_cut", denoising.scene(CLEAN, 3, 3, 0.0, 0, 1.0, 1.0, 1.0))
    assert refused.refused and refused.at(1) is None and refused.log_evidence(1) is None


def test_evidence_and_messages_multiply_to_the_belief():
    found = denoising.at(SCENE, denoising.films(SCENE), STEPS, 1, 0)
    assert {"message from the right", "message from above", "message from below"} <= set(found)
    assert "message from the left" not in found  # there is no pixel
    product = np.prod([found["evidence"], *(x for name, x in found.items() if name.startswith("message"))], axis=0)
    assert found["belief of loopy_bp"] == pytest.approx(product / product.sum(), abs=1e-12)


def test_noise_changes_the_share_that_it_says():
    """10,000 flips of probability 0.3: six standard deviations (2e-9)."""
    labels = tuple([0, 1, 2, 2] * 2500)
    moved = np.array(noisy(labels, 3, 0.3, 5))
    changed = moved != np.array(labels)
    assert abs(changed.mean() - 0.3) < 6 * np.sqrt(0.21 / 10_000) and set(moved) == {0, 1, 2}
    assert noisy(labels, 3, 0.0, 5) == labels
    assert abs((moved[changed & (np.array(labels) == 0)] == 1).mean() - 0.5) < 6 * 0.5 / np.sqrt(600)


def test_the_sentence_names_the_nearest_and_the_farthest():
    def still(marginal):
        return Film("", [np.array([[[1 - marginal, marginal]]])], [], [])

    films = {"mean_field": still(0.9), "loopy_bp": still(0.52), "gibbs": still(0.7), "strip": still(0.5)}
    assert denoising.said(films, 3) == ("After sweep 3 the marginals of loopy_bp are nearest to the exact ones (off by "
                                        "up to 0.020), those of mean_field farthest (0.400).")
    del films["strip"]
    assert denoising.said(films, 3).startswith("Too large for an exact answer")


def test_an_uploaded_image_is_labels_or_a_sentence():
    file = io.BytesIO()
    Image.fromarray(np.repeat([[0], [255]], 4, 0).astype(np.uint8).repeat(8, 1)).save(file, "png")
    assert not denoising.trouble(file.getvalue())
    assert denoising.read(file.getvalue(), 8, 2) == (1,) * 32 + (0,) * 32  # dark is the last label
    assert "no image" in denoising.trouble(b"no") and "at most" in denoising.trouble(b"0" * 5_000_000)
    assert "no image" in denoising.trouble(file.getvalue()[:40])


def given(image, kind="png", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def test_images_of_every_make_are_read_as_they_are_seen():
    """A small dark square: low on white, on nothing, in 16 bits, turned by its camera, as JPEG; then one pixel."""
    dark = np.zeros((8, 8), int)
    dark[5:7, 1:3] = 1
    grey = Image.fromarray((255 * (1 - dark)).astype(np.uint8)).resize((64, 64), 0)
    clear = Image.merge("LA", [Image.new("L", (64, 64)), Image.eval(grey, lambda x: 255 - x)])  # black upon black
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 200 + 5000)
    turned, orientation = grey.rotate(90), Image.Exif()
    orientation[0x0112] = 6  # to be shown a quarter further by the clock
    for content in (given(grey), given(clear), given(deep), given(grey, "jpeg"),
                    given(turned, "jpeg", exif=orientation)):
        assert np.array_equal(np.reshape(denoising.read(content, 8, 2), (8, 8)), dark)
        assert np.array_equal(np.reshape(denoising.read(content, 8, 3), (8, 8)), 2 * dark)
    assert set(denoising.read(given(Image.new("L", (1, 1), 90)), 8, 3)) == {0}
    assert "pixels: at most" in denoising.trouble(given(Image.new("1", (5000, 4000))))


@pytest.mark.parametrize("name", denoising.SHAPES)
@pytest.mark.parametrize("size, states", [(8, 2), (16, 3)])
def test_every_shape_has_a_label_a_pixel(name, size, states):
    labels = denoising.SHAPES[name](size, states)
    assert len(labels) == size**2 and set(labels) <= set(range(states))


def test_a_picture_mixes_the_colours_by_the_marginals():
    data = svg.picture(np.array([[[1.0, 0.0], [0.25, 0.75]]]), "a <b>")
    assert 'alt="a &lt;b&gt;"' in data
    import base64
    found = np.asarray(Image.open(io.BytesIO(base64.b64decode(data.split("base64,")[1].split('"')[0]))))
    first, second = ([int(c[k:k + 2], 16) for k in (1, 3, 5)] for c in svg.LABELS[:2])
    assert found[0, 0].tolist() == first
    assert found[0, 1].tolist() == [round(0.25 * a + 0.75 * b) for a, b in zip(first, second, strict=True)]


def test_lines_are_where_their_values_are():
    drawn = svg.lines({"a": [0.0, 1.0, 0.5]}, "w", "sweep", at=2, level=("exact", 1.0))
    points = [tuple(map(float, p.split(","))) for p in drawn.split('points="')[1].split('"')[0].split()]
    (x1, y1), (x2, y2), (x3, y3) = points
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2) and y3 == pytest.approx((y1 + y2) / 2, abs=0.2) and y2 < y1
    assert f'y1="{y2:.1f}"' in drawn and f'x1="{x2:.1f}"' in drawn  # the level, and the slider
