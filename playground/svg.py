"""Small drawings as text: a page redraws them with every move of a slider, and a figure of matplotlib is too slow."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from PIL import Image

from views.style import PALETTE, styles

LABELS = ("#F4F1E8", PALETTE[0], PALETTE[3], PALETTE[2])  # of a picture
WIDTH, HEIGHT, MARGIN = 640, 220, 46
LEGIBLE = 560  # px of a drawing, below which its words are too small


def picture(marginals: np.ndarray, what: str, pixels: int = 190) -> str:
    """Marginals (H, W, K) as an image: each pixel the mixture of the labels' colours."""
    colours = np.array([[int(c[k:k + 2], 16) for k in (1, 3, 5)] for c in LABELS[:marginals.shape[-1]]])
    file = io.BytesIO()
    Image.fromarray((marginals @ colours).round().astype(np.uint8)).save(file, "png")
    data = base64.b64encode(file.getvalue()).decode()
    H, W = marginals.shape[:2]
    return (f'<img alt="{escape(what)}" src="data:image/png;base64,{data}" width="{pixels}" '
            f'height="{max(1, pixels * H // W)}" '
            f'style="min-width:130px;image-rendering:pixelated;border:1px solid #8886">')


def lines(series: Mapping[str, Sequence[float]], what: str, across: str, at: int | None = None,
          level: tuple[str, float] | None = None) -> str:
    """Lines over 1, 2, ..., a level across them, and the place where the slider is."""
    values = [y for ys in series.values() for y in ys] + ([level[1]] if level else [])
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    pad = 0.08 * (high - low) or 1.0
    low, high, most = low - pad, high + pad, max([len(ys) for ys in series.values()] or [1])

    def x(k: float) -> float:
        return MARGIN + (WIDTH - 2 * MARGIN) * (k - 1) / max(most - 1, 1)

    def y(value: float) -> float:
        return HEIGHT - 34 - (HEIGHT - 50) * (value - low) / (high - low)

    marks = [f'<text x="4" y="{y(v) + 4:.1f}">{v:.3g}</text><line x1="{MARGIN}" x2="{WIDTH - MARGIN}" '
             f'y1="{y(v):.1f}" y2="{y(v):.1f}" stroke="currentColor" opacity="0.15"/>'
             for v in (low + pad, (low + high) / 2, high - pad)]
    marks += [f'<text x="{x(k):.1f}" y="{HEIGHT - 20}" text-anchor="middle">{k}</text>' for k in sorted({1, most})]
    if level:
        marks.append(f'<line x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{y(level[1]):.1f}" y2="{y(level[1]):.1f}" '
                     f'stroke="currentColor" stroke-dasharray="5 4"/><text x="{WIDTH - MARGIN + 3}" '
                     f'y="{y(level[1]) + 4:.1f}">{escape(level[0])}</text>')
    if at is not None:
        marks.append(f'<line x1="{x(min(at, most)):.1f}" x2="{x(min(at, most)):.1f}" y1="14" y2="{HEIGHT - 34}" '
                     f'stroke="currentColor" opacity="0.4"/>')
    colours = {name: look["color"] for name, look in styles(series).items()}
    for name, ys in series.items():
        points = " ".join(f"{x(k):.1f},{y(v):.1f}" for k, v in enumerate(ys, 1))
        marks.append(f'<polyline points="{points}" fill="none" stroke="{colours[name]}" stroke-width="2"/>')
    return _drawn(what, [*marks, *_key(colours), f'<text x="{WIDTH / 2}" y="{HEIGHT - 6}" text-anchor="middle">'
                         f'{escape(across)}</text>'], WIDTH, HEIGHT)


def bars(rows: Mapping[str, Sequence[float]], what: str) -> str:
    """Each row a distribution over labels, as one bar of the labels' colours."""
    marks = []
    for n, (name, shares) in enumerate(rows.items()):
        left, total = 190.0, sum(shares)
        marks.append(f'<text x="4" y="{22 * n + 16}">{escape(name)}</text>')
        for colour, share in zip(LABELS, shares, strict=False):
            wide = 300 * share / total
            marks.append(f'<rect x="{left:.1f}" y="{22 * n + 3}" width="{wide:.1f}" height="16" fill="{colour}" '
                         f'stroke="currentColor" stroke-width="0.5"/>')
            left += wide
        said = ", ".join(f"{s / total:.3f}" for s in shares)
        marks.append(f'<text x="498" y="{22 * n + 16}">{said}</text>')
    return _drawn(what, marks, 660, 22 * len(rows) + 6)


def cloud(chain: str, points: np.ndarray, path: np.ndarray, ellipses: Mapping[str, tuple[np.ndarray, np.ndarray]],
          of: Mapping[str, str], what: str, size: int = 420) -> str:
    """Points (n, 2) of a chain, its way through some of them, and ellipses of two standard deviations (mean,
    covariance); `of` says which method, and so which colour, each name is."""
    colours = {name: look["color"] for name, look in styles([chain, *ellipses], of).items()}
    half = size / 2
    reach = 1.1 * max([float(np.abs(points).max()) if points.size else 1.0]
                      + [float((np.abs(m) + 2 * np.sqrt(np.diag(c))).max()) for m, c in ellipses.values()])

    def put(x: np.ndarray) -> tuple[float, float]:
        return half * (1 + x[0] / reach), half * (1 - x[1] / reach)

    def line(points: np.ndarray, colour: str, width: float) -> str:
        way = " ".join("{:.1f},{:.1f}".format(*put(p)) for p in points)
        return f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="{width}"/>'

    marks = [f'<line x1="0" x2="{size}" y1="{half}" y2="{half}" stroke="currentColor" opacity="0.2"/>'
             f'<line y1="0" y2="{size}" x1="{half}" x2="{half}" stroke="currentColor" opacity="0.2"/>'
             f'<text x="{size - 60}" y="{half - 4}">{reach:.2g}</text>']
    marks += ["<circle cx='{:.1f}' cy='{:.1f}' r='1.8' ".format(*put(p)) + f"fill='{colours[chain]}' opacity='0.45'/>"
              for p in points]
    marks.append(line(path, colours[chain], 1))
    for name, (mean, covariance) in ellipses.items():
        turns = np.linspace(0, 2 * np.pi, 73)
        rim = mean + 2 * np.stack([np.cos(turns), np.sin(turns)], 1) @ np.linalg.cholesky(covariance).T
        marks.append(line(rim, colours[name], 2.5))
    return _drawn(what, [*marks, *_key(colours)], size, size)


def table(rows: Sequence[Mapping[str, object]], what: str) -> str:
    """Rows of words by column, as a table that scrolls by itself where it is wider than the screen."""
    style = "text-align:left;padding:2px 10px;border-bottom:1px solid #8886"
    head = "".join(f'<th scope="col" style="{style}">{escape(name)}</th>' for name in rows[0])
    body = "".join("<tr>" + "".join(f'<td style="{style}">{escape(str(cell))}</td>' for cell in row.values()) + "</tr>"
                   for row in rows)
    return (f'<div tabindex="0" role="region" aria-label="{escape(what)}" style="overflow-x:auto"><table>'
            f'<caption style="text-align:left">{escape(what)}</caption><thead><tr>{head}</tr></thead>'
            f'<tbody>{body}</tbody></table></div>')


def code(text: str, what: str) -> str:
    """Code, which scrolls by itself, by keys too."""
    return (f'<pre tabindex="0" role="region" aria-label="{escape(what)}" style="overflow-x:auto;font-size:13px;'
            f'padding:12px;border:1px solid #8886">{escape(text)}</pre>')


def _key(colours: Mapping[str, str]) -> list[str]:
    return [f'<rect x="{MARGIN + 150 * n}" y="2" width="10" height="10" fill="{colour}"/><text '
            f'x="{MARGIN + 150 * n + 14}" y="11">{escape(name)}</text>'
            for n, (name, colour) in enumerate(colours.items())]


def _drawn(what: str, marks: Sequence[str], width: float, height: float) -> str:
    """As wide as there is room for, but no smaller than can be read: on a telephone one scrolls to its sides."""
    return (f'<div tabindex="0" role="group" aria-label="{escape(what)}" style="overflow-x:auto"><svg role="img" '
            f'aria-label="{escape(what)}" viewBox="0 0 {width} {height}" width="100%" style="max-width:{width}px;'
            f'min-width:{min(width, LEGIBLE)}px" font-size="12" fill="currentColor">{"".join(marks)}</svg></div>')
