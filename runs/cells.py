"""The cells of a sweep: from words like `rank=1-10` to requests of ordinary runs."""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import room
from errors import InputError, short, unknown
from runs import folder, started
from runs.request import A_RUN, Request

FIXED = ("help", "problem", "out", "resume", "check", "list", "sweep", "jobs", "cluster", "export", "bare", "recommend",
         "top")
DIGITS = 100  # of the ends of a range: Python reads no more than 4,300, and no seed has as many
YES, NO = ("yes", "true"), ("no", "false")


@dataclass(frozen=True)
class Cell:
    """One run of a sweep."""

    name: str
    settings: Mapping[str, str]
    place: Path
    request: Request

    @property
    def finished(self) -> bool:
        return (self.place / folder.SUMMARY).exists()

    @property
    def log(self) -> Path:
        """What the run would have said on the terminal; in its folder where it came to have one."""
        return self.place.parent / "logs" / f"{self.name}.txt"


def swept(words: Sequence[str], parser: argparse.ArgumentParser) -> dict[str, list[str]]:
    """Words like `rank=1-10`, `beta=0.1,0.2` -> the values of each option.

    Values are separated by commas, or by semicolons where one of them holds a comma; a range is of whole numbers.
    Errors: InputError for an option that the problem does not have, and for values that it cannot have.
    """
    options = {o.removeprefix("--"): a for a in parser._actions for o in a.option_strings
               if o.startswith("--") and a.dest not in FIXED}
    found: dict[str, list[str]] = {}
    for word in words:
        name, equals, text = word.partition("=")
        name = name.removeprefix("--").replace("_", "-")
        if not equals or not text:
            raise InputError(f"--sweep takes OPTION=VALUES, like rank=1-10 or seed=0-4, not '{short(word)}'")
        if name not in options:
            raise unknown("option to sweep", name, options)
        if name in found:
            raise InputError(f"--sweep: {name} is given twice; put all its values into one {name}=...")
        found[name] = _values(word, text, options[name])
    return found


def _values(word: str, text: str, option: argparse.Action) -> list[str]:
    values: list[str] = []
    for part in text.split(";" if ";" in text else ","):
        part = part.strip()
        ends = [int(end) for end in part.split("-") if end.isdecimal() and len(end) <= DIGITS]
        if option.type is int and len(ends) == 2 and part.count("-") == 1:
            low, high = ends
            if low > high:
                raise InputError(f"--sweep {short(word)}: the range {short(part)} is empty; put the smaller number "
                                 f"first")
            count = high - low + 1
            room.refuse_beyond(f"--sweep {short(word)}", A_RUN * count, count, "runs")
            values += map(str, range(low, high + 1))
        elif part or ";" not in text:
            values.append(part)
    for value in values:
        _check(word, value, option)
    if len(set(values)) < len(values):
        twice = next(v for v in values if values.count(v) > 1)
        raise InputError(f"--sweep {short(word)}: {short(twice)} is there twice")
    return values


def _check(word: str, value: str, option: argparse.Action) -> None:
    """That the option can have this value."""
    if option.nargs == 0:
        if value.lower() not in YES + NO:
            raise InputError(f"--sweep {short(word)}: '{short(value)}' must be yes or no")
        return
    try:
        usable = bool(value) and (not callable(option.type) or option.type(value) is not None)
    except (ValueError, argparse.ArgumentTypeError):
        usable = False
    if not usable or (option.choices is not None and value not in option.choices):
        kind = {int: "whole numbers, like 1,2 or 1-10", float: "numbers, like 0.1,0.2"}.get(
            option.type, "values, like a,b")  # type: ignore[call-overload]
        raise InputError(f"--sweep {short(word)}: '{short(value)}' cannot be a value of "
                         f"{option.option_strings[-1]}; give {kind}")


def cells(values: Mapping[str, Sequence[str]], base: Sequence[str], out: Path, parser: argparse.ArgumentParser,
          request: type[Request], cwd: Path | None = None) -> list[Cell]:
    """Every combination of the values, the last option varying fastest, as a request made of words, which were given in
    `cwd` if not here; one that was begun goes on in its own folder."""
    options = {o.removeprefix("--"): a for a in parser._actions for o in a.option_strings}
    count = math.prod(map(len, values.values()))
    room.refuse_beyond(f"a sweep of {count:,} runs", A_RUN * count, count, "runs")
    found: list[Cell] = []
    for combination in itertools.product(*values.values()):
        settings = dict(zip(values, combination, strict=True))
        name = ",".join(f"{n}={Path(v).stem if v.endswith('.py') else v}" for n, v in settings.items())
        name = "".join(c if c.isalnum() or c in "=,.-_+" else "_" for c in name)[:200]
        if any(c.name == name for c in found):
            name += f"-{len(found)}"
        words = [w for n, v in settings.items()
                 for w in ([f"--{n}={v}"] if options[n].nargs != 0 else [f"--{n}"] * (v.lower() in YES))]
        place = out / name
        argv = [*base, *words, "--bare", f"--out={place}"]
        begun = place if (place / started.NAME).exists() else None
        found.append(Cell(name, settings, place, request.made(vars(parser.parse_args(argv)), argv, begun, cwd)))
    return found
