"""`--play`: pages to play with, served on this machine alone."""

from __future__ import annotations

import importlib.util
import os
import secrets
import subprocess
import sys
from pathlib import Path

from errors import InputError

HOUSE = Path(__file__).parents[1]
PAGES = HOUSE / "playground" / "pages"
HOST = "127.0.0.1"  # nobody else's machine
NEEDED = ("marimo", "anywidget")


def run(argv: list[str]) -> int:
    """Serve the pages until Ctrl-C, behind a token that is new each time. Errors: InputError for other words, and where
    marimo is not installed."""
    if argv != ["--play"]:
        raise InputError("--play opens pages to play with: leave out the other words")
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"--play needs {' and '.join(missing)}: pip install -r requirements-play.txt")
    print("pages to play with open in the browser; Ctrl-C ends them", flush=True)
    return subprocess.run(served(secrets.token_urlsafe(16)), env=environment(), check=False).returncode


def served(token: str) -> list[str]:
    """marimo's command, which finds a free port, opens the browser and says where the pages are."""
    return [sys.executable, "-m", "marimo", "-y", "run", str(PAGES), "--host", HOST,
            "--token", "--token-password", token]


def environment() -> dict[str, str]:
    """The pages import the house."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (str(HOUSE), os.environ.get("PYTHONPATH"))))}
