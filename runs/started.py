"""What a run was started with, in its folder: the words, the place, the files that it read, the code it ran on."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import files
from errors import InputError, short
from inference import identity

NAME = "run.json"
LONGEST = 4096  # characters of a word: of a path on Linux
CODE = re.compile(r"\.py\b")  # in every word that could name a file to execute
CODE_FOLDER = re.compile(r"[^,;=]*/(?=[^/,;=]*\.py\b)")


@dataclass(frozen=True)
class Started:
    """The content of `run.json`.

    cwd     where it was started: what relative paths among the words are relative to
    files   what it read, by option and name, and its fingerprint: data, and the user's own code
    code    the fingerprint of this program's
    """

    problem: str
    argv: tuple[str, ...]
    cwd: str
    files: dict[str, str]
    code: str

    @classmethod
    def now(cls, problem: str, argv: Sequence[str], cwd: Path, data: Mapping[str, Path]) -> Started:
        """Of a run that is about to start, which reads these files of data, by option."""
        read = [*((f"{option} {path.name}", path) for option, path in data.items()),
                *((path.name, path) for path in executed(argv))]
        found: dict[str, str] = {}
        for name, path in read:
            found[name] = found.get(name, "") + (files.fingerprint(path) if path.is_file() else "absent")
        return cls(problem, tuple(argv), str(cwd), found, identity.code())

    @classmethod
    def read(cls, folder: Path) -> Started:
        """That of the run in `folder`. Errors: InputError where there is none, or none that this version wrote."""
        path = folder / NAME
        if not path.is_file():
            raise InputError(f"there is no run in {folder} to go on with ({NAME} is absent)")
        said: Any = files.read_json(path)
        if not _sound(said):
            raise InputError(f"{path} is not what this version writes when a run starts: start the run again elsewhere")
        return cls(**said | {"argv": tuple(said["argv"])})

    def write(self, folder: Path) -> None:
        with files.whole(folder / NAME) as aside:
            aside.write_text(json.dumps(asdict(self), indent=2) + "\n")

    def check(self, folder: Path, now: Started) -> None:
        """Errors: InputError that names what is not as it was when the run in `folder` was started."""
        other = [name for name in {**self.files, **now.files} if self.files.get(name) != now.files.get(name)]
        other += ["the code of this program"] * (self.code != now.code)
        other += ["the words it is asked in"] * (plain(self.argv) != plain(now.argv))
        if other:
            raise InputError(f"{short(', '.join(other), 100)}: not as when the run in {folder} was started, and to mix "
                             f"the two would be wrong: give back what it was started with, or start a run of its own "
                             f"elsewhere")


def _sound(said: Any) -> bool:
    """Whether it is what `write` writes: the fields, each of its type, of words that a terminal and a disk can take."""
    if not isinstance(said, dict) or said.keys() != {f.name for f in fields(Started)}:
        return False
    argv, read = said["argv"], said["files"]
    if not isinstance(argv, list) or not isinstance(read, dict):
        return False
    words = [*argv, *read, *read.values(), *(said[name] for name in ("problem", "cwd", "code"))]
    return all(isinstance(word, str) and word.isprintable() and len(word) <= LONGEST for word in words)


@dataclass(frozen=True)
class Mention:
    """A word that may name a file to execute."""

    index: int  # among the words
    option: str
    value: str

    @property
    def plain(self) -> tuple[str, str]:
        """Without the folder of the file, which may lie elsewhere now."""
        return self.option, CODE_FOLDER.sub("", self.value)

    @property
    def paths(self) -> list[Path]:
        """The files: before a colon stands the file, after it come a name in it and options."""
        pieces = [re.sub(r"^\w+=", "", piece).strip() for piece in re.split("[,;]", self.value)]
        return [Path(piece[:found.end()]) for piece in pieces if (found := CODE.search(piece))]


def mentions(argv: Sequence[str]) -> list[Mention]:
    """Every word that may name a file to execute, and the option whose value it is.

    >>> found = mentions(["--rank", "2", "--method", "a/b.py:K:step=0.1", "--sweep", "seed=0-3", "kernel=c.py,gibbs"])
    >>> [(m.option, m.value, *map(str, m.paths)) for m in found]
    [('--method', 'a/b.py:K:step=0.1', 'a/b.py'), ('--sweep', 'kernel=c.py,gibbs', 'c.py')]
    """
    found, option = list[Mention](), ""
    for index, word in enumerate(argv):
        value = word
        if word.startswith("--"):
            option, _, value = word.partition("=")
        if CODE.search(word) and option != "--out":
            found.append(Mention(index, option, value))
    return found


def executed(argv: Sequence[str]) -> list[Path]:
    """The files that these words ask to execute."""
    return [path for mention in mentions(argv) for path in mention.paths]


def plain(argv: Sequence[str]) -> list[str]:
    """The words, but for where the files to execute and the results lie."""
    return [CODE_FOLDER.sub("", word) for word in argv if not word.startswith("--out=")]


def go_on(folder: Path, argv: Sequence[str]) -> str:
    """The command that goes on with a run: what it executes is named again."""
    again = [word for mention in mentions(argv) for word in (mention.option, mention.value)]
    return shlex.join(["python", "run.py", "--resume", str(folder), *again])
