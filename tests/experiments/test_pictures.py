"""Problem 1 on an image of one's own: what is written, what is said, what the figures count."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import run
from data.images import load_image, load_picture
from experiments.problem1 import words
from experiments.problem1.cases import Case
from experiments.problem1.study import GridEntry, Study
from inference.result import Result
from models.grid import GridMRF
from views import pictures

TRUE = np.repeat(np.arange(3), 4)[:, None].repeat(10, 1)  # 12 x 10 pixels, bands of 3 labels
COLOURS = np.array([(20, 0, 40), (200, 30, 60), (240, 230, 90)], dtype=np.uint8)


def result(name: str, labels: np.ndarray, family: str = "variational") -> Result:
    return Result(name, family, "hand", draws={}, expected={"labels": np.eye(3)[labels]}, trace={}, options={},
                  seconds=np.ones((1, 3)), log_evidence=None, log_evidence_kind=None, converged=None, seed=0)


def case(clean=None, observed=None, model=None, beta=1.0) -> Case:
    model = model or GridMRF.potts(torch.eye(3)[torch.from_numpy(TRUE)], 2.0, (1.0, 0.0))
    return Case("mine", model, observed, clean, Path(), beta=beta)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A noisy photograph of three bands, its truth, and a mask over one pixel."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    noisy = np.where(rng.random(TRUE.shape) < 0.1, (TRUE + 1) % 3, TRUE)
    pixels = COLOURS[noisy] + rng.integers(0, 12, (*TRUE.shape, 3)).astype(np.uint8)
    Image.fromarray(pixels).save("photo.png")
    Image.fromarray(COLOURS[TRUE]).save("clean.png")
    mask = np.zeros(TRUE.shape, int)
    mask[5, 5] = 1
    np.save("mask.npy", mask)
    return tmp_path


def test_every_method_leaves_an_image_in_its_colours(files, capsys):
    words = ("--problem 1 --image photo.png --labels 3 --truth clean.png --mask mask.npy --evidence 2 --coupling 1 "
             "--posterior --method strip --method mean_field --method iterated_conditional_modes --out out")
    assert run.guarded(words.split()) == 0
    said = capsys.readouterr().out
    assert "1 of 120 pixels (0.833%): 1 are masked" in said and "(12, 10, 3), are in NAME.npy" in said
    assert "Of the pixels of which nothing was observed, strip has" in said
    palette = load_picture("photo.png", 3).palette
    for name in ("strip", "mean_field", "iterated_conditional_modes"):
        marginals = np.load(f"out/{name}.npy")
        assert np.array_equal(marginals, Result.load(Path(f"out/{name}.nc")).expected["labels"])
        back = load_picture(f"out/{name}.png")
        assert back.palette == palette and np.array_equal(back.image.argmax(-1), marginals.argmax(-1))
        assert (marginals.argmax(-1) != TRUE).mean() < 0.1
    assert {"wrong.png", "denoised.png"} <= {path.name for path in Path("out").iterdir()}


@pytest.mark.parametrize(("words", "why"), [
    ("--truth clean.png", "--truth goes with --image FILE"),
    ("--image flag --truth clean.png", "--truth would change nothing: the clean image of flag is known"),
    ("--image photo.png --labels 3 --truth nosuch.png", "nosuch.png: no such file"),
    ("--image flag --mask mask.npy", "mask.npy: the mask has 12 x 10 pixels, the image 100 x 100"),
    ("--image grid.uai --mask mask.npy", "--mask would change nothing: grid.uai is a whole model"),
    ("--image grid.uai --truth clean.png", "--truth would change nothing: grid.uai is a model without an image"),
    ("--image photo.png --truth clean.png --bare", "--truth would change nothing: --bare compares nothing"),
    ("--image flag --posterior --bare", "--posterior would change nothing: under --bare"),
])
def test_what_cannot_be_is_said(files, words, why, capsys):
    assert run.guarded(["--problem", "1", "--method", "mean_field", "--out", "out", *words.split()]) == 2
    assert why in capsys.readouterr().err and not Path("out").exists()


def test_wrong_pixels_are_counted_where_the_truth_is_known():
    """Of 120 pixels 10 have no truth; of the rest 3 are wrong, one of the 2 that nothing is observed of."""
    clean, found = TRUE.copy(), TRUE.copy()
    clean[0] = -1
    found[0, 0], found[5, 5], found[6, 6], found[7, 7] = 2, 2, 0, 0
    observed = torch.eye(3)[torch.from_numpy(TRUE)]
    observed[5, 5], observed[9, 9], observed[0, 0] = 0, 0, 0
    line = GridEntry.on(Study(case(clean, observed), [result("mean_field", found)], {}), result("mean_field", found))
    assert line.share_wrong == pytest.approx(3 / 110) and line.share_wrong_unobserved == pytest.approx(1 / 2)
    assert pictures.wrong_share(found, clean) == pytest.approx(3 / 110)


def test_the_map_of_wrong_pixels_and_borders_on_tiny_grids(tmp_path, monkeypatch):
    drawn: list = []
    monkeypatch.setattr(pictures, "save", lambda figure, path: drawn.append(figure))
    clean, found = TRUE.copy(), TRUE.copy()
    clean[0, 0], found[1, 2], found[0, 0] = -1, 2, 1
    pictures.wrong(tmp_path, "mine", None, clean, [result("mean_field", found)])
    image = np.asarray(drawn[0].axes[0].images[0].get_array())
    assert image[0, 0] == -1 and image[1, 2] == 1 and image.sum() == 0
    assert len(drawn[0].axes[0].lines) == 11 + 9, "a line between any two rows and columns"
    pictures.denoised(tmp_path, "mine", None, clean, [result("gibbs", found, "mcmc")], notes={"gibbs": "never moved"})
    assert drawn[1].axes[0].get_title() == "clean"
    assert drawn[1].axes[1].get_title() == "gibbs (hand)\n0.84% wrong\nnever moved"
    big = np.zeros((17, 2), int)
    pictures.denoised(tmp_path, "mine", None, big, [result("gibbs", big)])
    assert not drawn[2].axes[0].lines


def entry(name: str, **fields: Any) -> GridEntry:
    given: dict[str, Any] = dict.fromkeys(GridEntry.__dataclass_fields__)
    return GridEntry(**given | {"name": name, "family": "mcmc"} | fields)


def test_samplers_that_the_weights_strand_are_told_a_beta():
    """Two labels, 8 nats: a Potts grid orders at log(1 + sqrt 2) = 0.881 nats, which is 0.11 of that."""
    strong = case(model=GridMRF.potts(load_image("small"), 10.0, (10.0, 2.0)).scaled(0.5), beta=0.5)
    assert strong.favour == pytest.approx(4.0) and strong.beta_that_mixes == pytest.approx(0.1)
    weak = case(model=GridMRF.potts(load_image("small"), 1.0, (0.8, 0.0)))
    assert weak.favour == pytest.approx(0.8) and weak.beta_that_mixes is None
    entries = [entry("gibbs", rhat=3.0, ess=2.0), entry("raster", rhat=None, ess=None, max_error=0.5),
               entry("sure", rhat=None, ess=None, max_error=1e-9), entry("mixed", rhat=1.01, ess=99.0)]
    assert words.stranded(entries, 0.1, 4.0) == [
        "The weights strand gibbs, raster: equal neighbours are 4 nats likelier than others, so a pixel hardly ever "
        "leaves its neighbours; --beta 0.1 is about where chains still mix."]
    assert words.notes(entries, 0.1) == {"gibbs": "chains disagree; try --beta 0.1",
                                         "raster": "hardly moved; try --beta 0.1"}
    assert words.stranded(entries, None, 0.8) == [] and words.stranded(entries[2:], 0.1, 4.0) == []
