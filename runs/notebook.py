"""`--notebook`: the run at hand as a notebook, a Python file of marimo's that Jupyter can have too.

It reads what the run saved: results through `crosscheck`, the sentences, tables and captions of `report.json`. Nothing
of a user's is put into code but as a string literal.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import files

NAME = "notebook.py"
HOUSE = Path(__file__).parents[1]

TEXT = '''"""A run of Crosscheck as a notebook: marimo edit {name}"""

import marimo

app = marimo.App(width="medium", app_title="A run of Crosscheck")


@app.cell
def _():
    import sys
    from pathlib import Path

    folder = Path({folder!r})
    sys.path.insert(0, {house!r})  # where the run found the library; needless where it is installed

    import marimo as mo

    import crosscheck as cc

    command = {command!r}
    story = cc.story(folder)
    mo.Html(story.heading(command))
    return cc, folder, mo, story


@app.cell
def _(cc, folder):
    results = {{name: cc.Result.load(folder / name) for name in {results!r}}}
    {{name: (result.family, result.steps, round(float(result.seconds.sum()), 3)) for name, result in results.items()}}
    return (results,)


{compared}
@app.cell
def _(story):
    story
    return


@app.cell
def _(results):
    # The arrays are yours: draws (chain, draw, ...), expectations, and what was recorded every step.
    some = next(iter(results.values()))
    {{group: {{name: x.shape for name, x in getattr(some, group).items()}} for group in ("draws", "expected", "trace")}}
    return (some,)


if __name__ == "__main__":
    app.run()
'''

COMPARED = '''@app.cell
def _(cc, results):
    cc.compare([results[name] for name in {group!r}])
    return


'''


def write(folder: Path, argv: Sequence[str]) -> Path:
    """The notebook of the run in the folder, whose results are saved."""
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.nc"))
    groups: dict[Path, list[str]] = {}
    for name in names:
        groups.setdefault(Path(name).parent, []).append(name)
    compared = "".join(COMPARED.format(group=group) for group in groups.values() if len(group) > 1)
    with files.whole(folder / NAME) as aside:
        aside.write_text(TEXT.format(name=NAME, folder=str(folder.resolve()), house=str(HOUSE), results=names,
                                     command=shlex.join(["python", "run.py", *argv]), compared=compared),
                         encoding="utf-8")
    return folder / NAME
