"""Arguments of the command line: a wrong one is a sentence, none is abbreviated, none given twice in silence."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from errors import InputError, short
from runs.request import GIVEN

UNKNOWN = "unrecognized arguments"  # argparse's words
NEAR = 0.75  # of difflib's likeness, from which a word may have been meant


class Once(argparse.Action):
    """A value, which may be given once."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace,
                 values: str | Sequence[Any] | None, option_string: str | None = None) -> None:
        if option_string:
            given: frozenset[str] = getattr(namespace, GIVEN, frozenset())
            if self.dest in given:
                parser.error(f"{option_string} is given twice")
            setattr(namespace, GIVEN, given | {self.dest})
        setattr(namespace, self.dest, values)


class Parser(argparse.ArgumentParser):
    """Wrong arguments are one sentence, like every other wrong input; `listed` is the command that lists them."""

    def __init__(self, *, listed: str, **more: Any) -> None:
        super().__init__(**more, allow_abbrev=False)
        self.listed = listed
        self._negative_number_matcher = re.compile(r"-\.?\d")  # -1e6,1e6 is a value, as -1 is
        self.register("action", None, Once)
        self.register("action", "store", Once)

    def error(self, message: str) -> NoReturn:
        wrong = next((word.partition("=")[0] for word in message.split() if word.startswith("--")), "")
        near = get_close_matches(wrong, self._option_string_actions, n=1, cutoff=NEAR) if UNKNOWN in message else []
        hint = f"did you mean {near[0]}? " if near else ""
        raise InputError(f"{short(message, 160)}; {hint}`{self.listed}` lists what there is")
