"""What a file says of users or items, as numbers: a row each, and how they were made of the file's columns.

    number   (x - mean) / sd;  0 where it is missing
    word     1 for the one of `words` that it is, 0 for the others; all 0 where it is none of them, or missing
    list     the same for several words at once, apart by `separator`

and all of it times `scale`, so that a row has squared length 1 on average, as one of implicit feedback has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Column:
    """One column: a number where it has no words."""

    name: str
    mean: float = 0.0
    sd: float = 1.0
    words: tuple[str, ...] = ()
    separator: str = ""

    @property
    def width(self) -> int:
        """How many features it makes."""
        return len(self.words) or 1


@dataclass(frozen=True)
class Encoding:
    """How the columns of a file become features."""

    columns: tuple[Column, ...]
    scale: float = 1.0

    @property
    def width(self) -> int:
        return sum(column.width for column in self.columns)

    @property
    def said(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Self:
        """
        >>> one = Encoding((Column("age", 30.0, 9.0), Column("sex", words=("F", "M"))), 0.5)
        >>> Encoding.of(one.said) == one, one.width
        (True, 3)
        """
        columns = tuple(Column(**{**each, "words": tuple(each["words"])}) for each in said["columns"])
        return cls(columns, float(said["scale"]))


@dataclass(frozen=True, eq=False)
class Known:
    """Features of all users or of all items, (rows, features), and how they were made."""

    values: Tensor
    encoding: Encoding

    def to(self, device: torch.device | str) -> Known:
        return replace(self, values=self.values.to(device))
