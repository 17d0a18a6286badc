"""What the page on denoising shows, as functions of an image, four weights and a step."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps
from scipy.cluster.vq import kmeans2

from errors import InputError
from inference.grid import loopy_bp
from playground.steps import STEPS, Film, Scene, apart, film, noisy, wrong

__all__ = ["SHAPES", "STEPS", "at", "films", "ladder", "panels", "read", "said", "scene", "trouble"]

METHODS = ("mean_field", "loopy_bp", "gibbs")
EXACT = "strip"
MOST_BYTES = 4_000_000  # of an image that is uploaded
MOST_PIXELS = 8_500_000  # of one, decoded: a 4K screen's; it is held twice
DRAFT = 256  # pixels of a side, more than the page shows
FORMATS = ("PNG", "JPEG")
Labels = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Panel:
    """A picture with what is to be said of it; no picture where there is no answer."""

    name: str
    marginals: np.ndarray | None
    said: str


def scene(clean: Labels, width: int, states: int, noise: float, seed: int, evidence: float, coupling: float,
          beta: float) -> Scene:
    """The noisy image under the model."""
    return Scene(noisy(clean, states, noise, seed), width, states, evidence, coupling, beta)


def films(scene: Scene) -> dict[str, Film]:
    """Every method's, and the exact one's where that is quick."""
    found = {name: film(name, scene) for name in METHODS}
    return found | ({EXACT: film(EXACT, scene, 1)} if scene.exact else {})


def panels(scene: Scene, clean: Labels, films: dict[str, Film], step: int) -> list[Panel]:
    """The noisy image, and every method's marginals after `step` sweeps, against the exact ones."""
    exact = films[EXACT].at(1) if EXACT in films else None
    seen = np.eye(scene.states)[np.reshape(scene.labels, (-1, scene.width))]
    found = [Panel("noisy", seen, f"{wrong(seen, clean):.0%} of the pixels wrong")]
    for name, each in films.items():
        beliefs = each.at(step)
        if beliefs is None:
            found.append(Panel(name, None, each.refused))
            continue
        told = f"{wrong(beliefs, clean):.0%} wrong"
        if exact is not None and name != EXACT:
            told += f"; marginals off by up to {apart(beliefs, exact):.3f}"
        found.append(Panel(f"{name} (exact)" if name == EXACT else name, beliefs, told))
    return found


def ladder(films: dict[str, Film]) -> tuple[dict[str, list[float]], tuple[str, float] | None]:
    """log Z by sweep of the methods that have one, and the exact one."""
    series = {name: [i.log_evidence for i in each.infos if i.log_evidence is not None]
              for name, each in films.items() if name != EXACT}
    exact = films[EXACT].log_evidence(1) if EXACT in films else None
    return {name: values for name, values in series.items() if values}, None if exact is None else ("exact", exact)


def said(films: dict[str, Film], step: int) -> str:
    """Who is how far off at this step, in a sentence."""
    exact = films[EXACT].at(1) if EXACT in films else None
    if exact is None:
        return "Too large for an exact answer while you wait: a smaller size has one."
    far = {name: apart(beliefs, exact) for name in METHODS if (beliefs := films[name].at(step)) is not None}
    order = sorted(far, key=lambda name: far[name])
    return f"After sweep {step} the marginals of {order[0]} are nearest to the exact ones (off by up to " \
           f"{far[order[0]]:.3f}), those of {order[-1]} farthest ({far[order[-1]]:.3f})."


def at(scene: Scene, films: dict[str, Film], step: int, row: int, column: int) -> dict[str, np.ndarray]:
    """Over the labels of one pixel: its evidence, the four messages into it, and every method's belief."""
    field = scene.model.unary[row, column].numpy()
    found = {"evidence": np.exp(field - field.max())}
    states = films["loopy_bp"].states
    if states:
        into = loopy_bp.incoming(states[min(step, len(states)) - 1])[:, :, row, column].numpy()
        inside = (column > 0, column < scene.width - 1, row > 0, row < len(scene.labels) // scene.width - 1)
        found |= {f"message from {side}": message for side, message, there in
                  zip(("the left", "the right", "above", "below"), into, inside, strict=True) if there}
    return found | {f"belief of {name}": beliefs[row, column] for name, each in films.items()
                    if (beliefs := each.at(step)) is not None}


def trouble(content: bytes) -> str:
    """Why an uploaded file is no image; "" if it is one."""
    if len(content) > MOST_BYTES:
        return f"the image has {len(content):,} bytes: at most {MOST_BYTES:,} here"
    try:
        _grey(content, 1)
    except InputError as error:
        return str(error)
    return ""


def read(content: bytes, size: int, states: int) -> Labels:
    """An image as labels: its grey values by k-means, dark last, so that a small drawing on white is not lost among
    equal shares. Errors: as `trouble`."""
    grey = _grey(content, size).reshape(-1, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a label that no pixel has
        _, labels = kmeans2(grey, np.linspace(grey.max(), grey.min(), states)[:, None], minit="matrix")
    return tuple(labels.tolist())


def _grey(content: bytes, size: int) -> np.ndarray:
    """The grey values of an image, squeezed into size x size, as it is seen: upright, on white."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                image.draft("L", (DRAFT, DRAFT))  # a photograph is decoded no larger than it is of use
                if (pixels := image.width * image.height) > MOST_PIXELS:
                    raise InputError(f"the image has {pixels:,} pixels: at most {MOST_PIXELS:,} here")
                ImageOps.exif_transpose(image, in_place=True)
                shown = _eight_bits(image)
                if shown.mode not in ("L", "RGB") or "transparency" in shown.info:
                    shown = shown.convert("RGBA")
                shown = shown.resize((size, size)).convert("RGBA")
                paper = Image.new("RGBA", shown.size, "white")  # under what is transparent
                return np.asarray(Image.alpha_composite(paper, shown).convert("L"), float)
    except InputError:
        raise
    except Exception:  # Pillow's readers, which say nowhere what they raise for a damaged file
        raise InputError("that file is no image that can be read: give a PNG or a JPEG") from None


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 bits, which Pillow would clip at 255, in 8."""
    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)) if image.mode.startswith("I") else image


def _cross(size: int, states: int) -> Labels:
    y, x = np.indices((size, size))
    near = np.minimum(abs(x - size // 3), abs(y - size // 2))
    return _flat((near < max(1, size // 6)).astype(int) + (near < max(1, size // 12)) * (states > 2))


def _ring(size: int, states: int) -> Labels:
    y, x = np.indices((size, size)) - (size - 1) / 2
    return _flat((np.hypot(x, y) * 2 * states / (1.42 * size)).astype(int) % states)


def _stripes(size: int, states: int) -> Labels:
    return _flat(np.indices((size, size))[1] // max(1, size // 6) % states)


def _blank(size: int, states: int) -> Labels:
    return _flat(np.zeros((size, size), int))


def _flat(labels: np.ndarray) -> Labels:
    return tuple(int(x) for x in labels.ravel())


SHAPES: dict[str, Callable[[int, int], Labels]] = {
    "cross": _cross, "ring": _ring, "stripes": _stripes, "blank": _blank}
