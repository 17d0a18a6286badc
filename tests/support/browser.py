"""A page in a real browser, and what it did there."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

HOUSE = Path(__file__).parents[2]
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


@contextmanager
def served(file: Path) -> Iterator[str]:
    """A page of marimo's, on this machine alone."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shown = ["--include-code"] if file.parent.name == "notebooks" else []
    words = ["-m", "marimo", "-y", "run", str(file), "--host", "127.0.0.1", "--port", str(port), "--no-token",
             "--headless"]
    server = subprocess.Popen([sys.executable, *words, *shown], env=os.environ | {"PYTHONPATH": str(HOUSE)},
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()
