"""Images of labels: what was seen, what is true, what every method makes of it, and where it is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap

from inference.result import Result
from views.figures import PALETTE, save, small_multiples, title

TINY = 16  # pixels on the longer side, up to which each has a border
UNKNOWN = -1
GREY, PINK = "#bbbbbb", "#ff00ff"  # of what has no label, among our colours and among an image's own
WRONG = ("#bbbbbb", "#f2f2f2", "#b2182b")  # truth unknown, right, wrong
LABELS = 12  # that a legend names


def denoised(folder: Path, name: str, observed: np.ndarray | None, clean: np.ndarray | None, results: Sequence[Result],
             palette: Sequence[str] = (), notes: Mapping[str, str] | None = None) -> Path | None:
    """What was seen, what is true, and each method's most probable label at every pixel.

    observed (H, W, K) indicators; clean (H, W) labels, -1 where the truth is unknown, or None; palette, the colours of
    the labels where the image has its own; notes, a line by method under its name.
    """
    results = [r for r in results if "labels" in r.expected]
    if not results:
        return None
    K = results[0].expected["labels"].shape[-1]
    colours = ListedColormap([PINK if palette else GREY, *(palette or (PALETTE * (K // len(PALETTE) + 1))[:K])])
    panels = panels_of(observed, clean, results, notes or {})
    figure, axes = small_multiples(len(panels))
    for axis, (heading, labels) in zip(axes, panels, strict=True):
        axis.imshow(labels, cmap=colours, vmin=-1.5, vmax=K - 0.5, interpolation="nearest")
        borders(axis, labels.shape)
        axis.set_title(heading, fontsize=8)
    words = {f"label {k}": colours(k + 1) for k in range(K)} if K <= LABELS else {}
    if any((labels == UNKNOWN).any() for _, labels in panels):
        words["no label, or several"] = colours(0)
    _legend(figure, words)
    figure.suptitle(f"{name}: most probable label of each pixel")
    return save(figure, folder / "denoised.png")


def panels_of(observed: np.ndarray | None, clean: np.ndarray | None, results: Sequence[Result],
              notes: Mapping[str, str]) -> list[tuple[str, np.ndarray]]:
    """The headings and labels of `denoised`, -1 where there is no label, or several."""
    panels = [] if observed is None else [("observed", seen(observed))]
    panels += [(f"{title(r.name)} ({r.by})", r.expected["labels"].argmax(-1)) for r in results]
    if clean is not None:
        panels = [(f"{heading}\n{100 * share:.2f}% wrong", labels) for heading, labels in panels
                  for share in [wrong_share(labels, clean)]]
        panels.insert(int(observed is not None), ("clean", clean))
    said = {f"{title(name)} (": note for name, note in notes.items()}
    return [("\n".join([heading, *(note for start, note in said.items() if heading.startswith(start))]), labels)
            for heading, labels in panels]


def seen(observed: np.ndarray) -> np.ndarray:
    """The labels that were observed, -1 where none was, or several."""
    return np.where(observed.sum(-1) == 1, observed.argmax(-1), UNKNOWN)


def wrong_share(labels: np.ndarray, clean: np.ndarray) -> float:
    """Of the pixels whose truth is known."""
    known = clean != UNKNOWN
    return float((labels != clean)[known].mean()) if known.any() else 0.0


def wrong(folder: Path, name: str, observed: np.ndarray | None, clean: np.ndarray, results: Sequence[Result]) -> Path:
    """Which pixels are wrong, in what was seen and by method."""
    panels = [] if observed is None else [("observed", seen(observed))]
    panels += [(title(r.name), r.expected["labels"].argmax(-1)) for r in results if "labels" in r.expected]
    figure, axes = small_multiples(len(panels))
    for axis, (heading, labels) in zip(axes, panels, strict=True):
        axis.imshow(np.where(clean == UNKNOWN, -1, labels != clean), cmap=ListedColormap(WRONG), vmin=-1.5, vmax=1.5,
                    interpolation="nearest")
        borders(axis, labels.shape)
        count = int(((labels != clean) & (clean != UNKNOWN)).sum())
        axis.set_title(f"{heading}\n{count} wrong, {100 * wrong_share(labels, clean):.2f}%", fontsize=8)
    words = dict(zip(("truth not known", "right", "wrong"), WRONG, strict=True))
    _legend(figure, words if (clean == UNKNOWN).any() else {word: words[word] for word in ("right", "wrong")})
    figure.suptitle(f"{name}: pixels whose most probable label is not the true one")
    return save(figure, folder / "wrong.png")


def borders(axis: plt.Axes, shape: Sequence[int]) -> None:
    """Lines between the pixels of a tiny grid, which would else look like a flag."""
    H, W = shape[:2]
    if max(H, W) <= TINY:
        for x in range(1, W):
            axis.axvline(x - 0.5, color="white", lw=1.5)
        for y in range(1, H):
            axis.axhline(y - 0.5, color="white", lw=1.5)


def _legend(figure: plt.Figure, words: Mapping[str, object]) -> None:
    if words:
        patches = [plt.Rectangle((0, 0), 1, 1, facecolor=colour, edgecolor="0.6", lw=0.5) for colour in words.values()]
        figure.legend(patches, list(words), loc="outside lower center", ncols=min(len(words), 6))
