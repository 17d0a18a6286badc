"""What is asked of a run, as a value: a frozen dataclass, made once from the arguments. Every option is a field.

    @dataclass(frozen=True, kw_only=True)
    class Request(runs.request.Request):
        rank: int = option(2, "number of factors", metavar="K")

declares `--rank K`, its type, its default and its help; `Request.add_arguments` gives them all to a parser.
What can be said of a request by itself is checked when it is made: errors are InputError, before anything is read.
"""

from __future__ import annotations

import argparse
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, get_args, get_origin, get_type_hints

import room
from errors import InputError, short

if TYPE_CHECKING:  # torch takes a second, and a list of options has no use for it
    import torch

    from runs.options import Fit

GIVEN = "given"  # among what a parser found: the options of one value that were given, by their names
A_RUN = 10**5  # bytes of memory, at least, that one of many runs takes in the end: its request and its results
HELD = "the run"  # the group of the options that every run has


def option(default: object, help: str, *, metavar: str | None = None, flag: str | None = None, group: str = HELD,
           several: bool = False) -> Any:
    """A field that is an option: `--its-name`, unless `flag` says otherwise; `several`: values after one flag."""
    said = {"help": help, "metavar": metavar, "flag": flag, "group": group, "several": several}
    return field(default=default, metadata=said)


@dataclass(frozen=True, kw_only=True)
class Request(ABC):
    """What every run is asked. `argv` are the words that it was made of; `resume` is the folder to go on in; `cwd` is
    where relative paths of data are relative to."""

    problem: ClassVar[str]
    kind: ClassVar[str]  # of model, whose methods it runs
    reads: ClassVar[tuple[str, ...]] = ()  # the options that name data, a file or a folder
    names: ClassVar[tuple[str, ...]] = ()  # words among their values that are names of something built in
    argv: tuple[str, ...] = ()
    given: frozenset[str] = frozenset()  # the options that have one value and were given it
    resume: Path | None = None
    cwd: Path = field(default_factory=Path.cwd)
    out: Path | None = option(None, "where the results go: a new or empty directory (default: a new one under "
                              "results/)", metavar="DIR")
    seed: int = option(0, "the seed of the methods; the same seed gives the same bytes (default 0)", metavar="N")
    data_seed: int | None = option(None, "the seed of data that are made or split at random, where --seed is to be "
                                   "that of the methods only", metavar="N")
    device: str = option("cpu", "cpu or cuda (default cpu)")
    bare: bool = option(False, "fit and save, and no more: no further ranks or comparisons, no checkpoints, no figures")
    notebook: bool = option(False, "write notebook.py too: the run as a notebook of marimo's, and so of Jupyter's")
    settings: tuple[str, ...] = option((), "an option of the methods, for every one chosen that has it (--list NAME "
                                       "shows them); repeatable", metavar="OPTION=VALUE", flag="--set")

    @property
    def seed_of_data(self) -> int:
        return self.seed if self.data_seed is None else self.data_seed

    @property
    def title(self) -> str:
        """Of its report."""
        return f"Problem {self.problem}"

    @property
    def about(self) -> str:
        """Which question and equations its report has, a name of `views.report.about.ABOUT`."""
        return self.kind

    @property
    def set(self) -> dict[str, str]:
        """What `--set` asks for."""
        return settings(self.settings)

    @property
    def place(self) -> torch.device:
        """The device, if there is one here."""
        return device(self.device)

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """The options, in groups; those that every run has come last."""
        own, kinds = [f for f in fields(cls) if f.metadata], get_type_hints(cls)
        for name in sorted({f.metadata["group"]: None for f in own}, key=lambda group: group == HELD):
            group = parser.add_argument_group(name)
            for f in own:
                if f.metadata["group"] == name:
                    group.add_argument(f.metadata["flag"] or flag(f.name), dest=f.name,
                                       help=f.metadata["help"], **_read(f, kinds[f.name]))

    @classmethod
    def made(cls, arguments: Mapping[str, Any], argv: Sequence[str], resume: Path | None = None,
             cwd: Path | None = None) -> Self:
        """From what a parser found, by name; `cwd` is given where the words were given elsewhere, at another time."""
        found: dict[str, Any] = {f.name: arguments[f.name] for f in fields(cls) if f.metadata}
        found = {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
        for name, value in [(name, found[name]) for name in cls.reads if cwd]:
            if value is not None and str(value) not in cls.names:
                found[name] = type(value)(Path(cwd or "", value))
        given = arguments.get(GIVEN, frozenset())
        return cls(**found, argv=tuple(argv), given=given, resume=resume, cwd=cwd or Path.cwd())

    def idle(self) -> dict[str, str]:
        """Options that would change nothing in this run, and why."""
        return {}

    @staticmethod
    def refuse_idle(requests: Sequence[Request]) -> None:
        """Errors: InputError for an option that was given and would change nothing in any of these runs."""
        idle = [{name: why for name, why in request.idle().items() if request._gives(name)} for request in requests]
        for name, why in idle[0].items():
            if all(name in others for others in idle):
                raise InputError(f"{flag(name)} would change nothing: {why}; leave it out")

    def refuse_taken(self) -> None:
        """Errors: InputError for an --out that holds something, before anything takes time."""
        from runs import folder  # as torch above

        if self.out and not self.resume:
            folder.refuse_taken(self.out)

    def _gives(self, name: str) -> bool:
        return name in self.given or getattr(self, name) != next(f.default for f in fields(self) if f.name == name)

    @property
    def data_files(self) -> dict[str, Path]:
        """The files of data that it names, by option."""
        values = {name: getattr(self, name) for name in self.reads}
        return {flag(name): Path(value) for name, value in values.items()
                if value is not None and str(value) not in self.names and Path(value).is_file()}

    @abstractmethod
    def chosen(self) -> list[Fit]:
        """The methods, with the options that each of them takes. Errors: InputError for one that there is not, or that
        does not have an option."""


def _read(f: Field[Any], kind: Any) -> dict[str, Any]:
    """How a parser reads a field of that type."""
    if kind is bool:
        return {"action": "store_true"}
    named = {"metavar": f.metadata["metavar"], "default": f.default}
    if get_origin(kind) is tuple:
        return named | ({"nargs": "+"} if f.metadata["several"] else {"action": "append", "default": []})
    inner = next((k for k in get_args(kind) if k is not type(None)), kind)
    return named | ({} if inner is str else {"type": inner})


def flag(name: str) -> str:
    """An option as it is written.

    >>> flag("burn_in"), flag("settings")
    ('--burn-in', '--set')
    """
    return "--set" if name == "settings" else f"--{name.replace('_', '-')}"


def settings(words: Sequence[str]) -> dict[str, str]:
    """What `--set name=value` asks for. Errors: InputError for words that are not of this form."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name in found:
            raise InputError(f"--set takes OPTION=VALUE, once for each option, not '{short(word)}'"
                             + (" again" if equals else ""))
        found[name] = value
    return found


def device(name: str) -> torch.device:
    """The device of that name, if there is one here."""
    import torch

    try:
        found = torch.device(name)
    except RuntimeError:
        raise InputError(f"--device must be cpu or cuda, not '{short(name)}'") from None
    if found.type not in ("cpu", "cuda"):
        raise InputError(f"--device must be cpu or cuda, not '{short(name)}'")
    if found.type == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: no CUDA device is available here; leave --device out to run on the CPU")
    if found.type == "cuda" and (found.index or 0) >= (count := torch.cuda.device_count()):
        raise InputError(f"--device {name}: there are {count} CUDA devices here, the last one is cuda:{count - 1}")
    return found


def parse_ranks(text: str) -> tuple[int, ...]:
    """'1-10', '1,2,5' or a mixture of them, in order; 'none' is none."""
    found: set[int] = set()
    for word in [] if text == "none" else text.split(","):
        low, dash, high = word.partition("-")
        try:
            first, last = int(low), int(high if dash else low)
        except ValueError:
            first, last = 1, 0
        if first > last:
            raise InputError(f"--ranks must be like 1-10 or 1,2,5, or none, not '{short(text)}'")
        room.refuse_beyond(f"--ranks {short(text)}", A_RUN * (last - first + 1), last - first + 1, "ranks")
        found |= set(range(first, last + 1))
    if found and min(found) < 1:
        raise InputError(f"--ranks must be at least 1, not '{short(text)}'")
    return tuple(sorted(found))
