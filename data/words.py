"""A text as words taken one after the other, with an error that tells where one is missing or wrong."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import TypeVar

from errors import InputError, short

LONGEST = 15  # digits of a whole number: no file counts further

Number = TypeVar("Number", int, float)


class Words:
    """The words of a text, taken one after the other."""

    def __init__(self, text: str) -> None:
        self.text, self.words, self.at = text, text.split(), 0

    def take(self, count: int, what: str) -> list[str]:
        words = self.words[self.at : self.at + count]
        if len(words) < count:
            raise InputError(f"is cut short: the file ends too early for {what}")
        self.at += count
        return words

    def whole(self, what: str) -> int:
        return self.wholes(1, what)[0]

    def wholes(self, count: int, what: str) -> list[int]:
        return self._each(_natural, count, what, "whole number")

    def numbers(self, count: int, what: str) -> list[float]:
        return self._each(_decimal, count, what, "number")

    def _each(self, convert: Callable[[str], Number], count: int, what: str, kind: str) -> list[Number]:
        words = self.take(count, what)
        try:
            return [convert(word) for word in words]
        except ValueError:
            index = self.at - count + next(i for i, word in enumerate(words) if not _converts(convert, word))
            raise InputError(f"line {self._line(index)}: '{short(self.words[index], 20)}' is no {kind}, "
                             f"which is expected for {what}") from None

    def end(self) -> None:
        if self.at < len(self.words):
            raise InputError(f"line {self._line(self.at)}: '{short(self.words[self.at], 20)}' follows where the file "
                             f"should end")

    def _line(self, index: int) -> int:
        start = next(itertools.islice(re.finditer(r"\S+", self.text), index, None)).start()
        return self.text.count("\n", 0, start) + 1


def _natural(word: str) -> int:
    if not word.isdecimal() or len(word) > LONGEST:
        raise ValueError(word)
    return int(word)


def _decimal(word: str) -> float:
    """Python's own float takes 1_0 for ten."""
    if "_" in word:
        raise ValueError(word)
    return float(word)


def _converts(convert: Callable[[str], Number], word: str) -> bool:
    try:
        convert(word)
    except ValueError:
        return False
    return True
