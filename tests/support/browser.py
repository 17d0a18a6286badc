"""A page in a real browser, and what it did there."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SANDBOX = [] if os.name != "posix" or os.geteuid() else ["--no-sandbox"]  # root has none


def found() -> str:
    """A browser of this machine; the test is skipped, with the reason, where there is none."""
    pytest.importorskip("playwright", reason="playwright is not installed")
    here = next(filter(None, map(shutil.which, NAMES)), None)
    if here is None:
        pytest.skip(f"no browser here: none of {', '.join(NAMES)}")
    return here


@contextmanager
def opened(path: Path, *, width: int = 1280, scheme: Any = "light") -> Iterator[tuple[Any, list[str]]]:
    """The page of a file, and what went wrong on it: errors of the console, and requests that leave the file."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=found(), args=SANDBOX)
        try:
            page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
            wrong: list[str] = []
            page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("request", lambda asked: wrong.append(asked.url) if not asked.url.startswith(
                (path.resolve().as_uri(), "data:")) else None)
            page.goto(path.resolve().as_uri())
            yield page, wrong
        finally:
            browser.close()
