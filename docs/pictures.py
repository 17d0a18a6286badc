"""The pictures of this folder, README's figure too, from real runs: `python docs/pictures.py` makes them all anew.

It needs requirements-dev.txt and a chromium.
"""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

ROOT = Path(__file__).parents[1]
HERE = ROOT / "docs" / "pictures"
METHODS = ("strip", "mean_field", "loopy_bp", "gibbs")
RUN = ["--problem", "1", "--image", "examples/patch.png", "--beta", "0.2",
       *(word for method in METHODS for word in ("--method", method))]
REPORTS = {"report": (1280, "light"), "report-dark": (1280, "dark"), "report-narrow": (390, "light")}
PAGES = {"play-denoising": ("playground/pages/denoising.py", "strip (exact)"),
         "play-factorization": ("playground/pages/factorization.py", "standard deviation of"),
         "play-guessing": ("playground/pages/guessing.py", "kernel number"),
         "notebook": ("notebooks/problem1.py", "Exercises")}
TALL = 1600  # pixels of a page that are shown


def main() -> None:
    from playwright.sync_api import sync_playwright

    sys.path.insert(0, str(ROOT))
    from tests.support import browser

    HERE.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder, sync_playwright() as play:
        readme = run(Path(folder) / "readme", "--method", "swendsen_wang")
        (HERE.parent / "figure.png").write_bytes((readme / "marginals.png").read_bytes())
        out = run(Path(folder) / "run", "--sweeps", "300")
        chromium = play.chromium.launch(executable_path=browser.found(), args=browser.SANDBOX)
        for name, (width, scheme) in REPORTS.items():
            look: Any = scheme
            page = chromium.new_page(viewport={"width": width, "height": TALL}, color_scheme=look)
            page.goto((out / "report.html").as_uri())
            keep(page, name)
        for name, (file, until) in PAGES.items():
            with browser.served(ROOT / file) as address:
                page = chromium.new_page(viewport={"width": 1280, "height": TALL if name == "notebook" else 1100})
                page.goto(address)
                page.get_by_text(until).first.wait_for(timeout=120_000)
                if name == "notebook":
                    page.locator("img[alt]").nth(1).wait_for(timeout=120_000)
                page.wait_for_timeout(2000)
                keep(page, name)
        chromium.close()


def run(out: Path, *more: str) -> Path:
    """A run's folder."""
    subprocess.run([sys.executable, "run.py", *RUN, *more, "--out", str(out)], cwd=ROOT, check=True,
                   stdout=subprocess.DEVNULL)
    return out


def keep(page: Any, name: str) -> None:
    """What is on the screen, as a small file."""
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        picture.convert("RGB").save(HERE / f"{name}.webp", quality=72, method=6)
    page.close()


if __name__ == "__main__":
    main()
