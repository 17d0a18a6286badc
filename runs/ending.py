"""How a run ends: stopped and ready to go on, or with its checkpoints, its summary and an exit status."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from errors import Interrupted
from runs import folder
from runs.folder import Checkpoint
from views import tables


@contextmanager
def resumable(out: Path) -> Iterator[None]:
    """Ctrl-C, wherever it comes, is Interrupted with how to go on."""
    try:
        yield
    except (Interrupted, KeyboardInterrupt) as stopped:
        raise Interrupted(f"{str(stopped) or 'stopped'}; go on with: python run.py --resume {out}") from None


def conclude(console: Console, out: Path, problem: str, argv: Sequence[str], seed: int,
             checkpoints: Sequence[Checkpoint], entries: Sequence[dict[str, Any]]) -> int:
    """The table of checkpoints and `summary.json`; 0 if all passed, else 1."""
    tables.checkpoints(console, [asdict(c) for c in checkpoints])
    folder.write_summary(out, problem, argv, seed, checkpoints, entries)
    failed = sum(not c.passed for c in checkpoints)
    console.print(f"{len(checkpoints) - failed} of {len(checkpoints)} checkpoints passed; "
                  f"figures and results are in {out}", soft_wrap=True)
    return 1 if failed else 0
