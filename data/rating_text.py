"""The text of a rating file -> triples: which layout it is, and which line is at fault when it is none.

    user item rating [timestamp]     separated by comma, semicolon, tab, '::' or blanks; a header or none
    a wide matrix                    a row per user, a column per item, 99 where there is no rating; Jester's own
                                     starts with the number of items rated, others with a header and user ids
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.csv

from errors import InputError

MISSING = 99.0  # marks "not rated" in wide matrices; no rating scale reaches it
JESTER_SCALE = (-10.0, 10.0)
EXPECTED = ("expected the columns user, item, rating (a fourth, the time, is ignored) or "
            "a wide matrix with a row per user, a column per item and 99 for 'not rated'")

NAMES = {
    "user": {"user", "userid", "uid", "u"},
    "item": {"item", "itemid", "iid", "i", "movie", "movieid", "joke", "jokeid", "book", "bookid", "product",
             "productid"},
    "rating": {"rating", "ratings", "score", "stars", "value", "r"},
}


@dataclass(frozen=True, eq=False)
class Triples:
    """Ratings as a source gives them: original ids, nothing checked.

    `where(n)` says where rating n stands ("u.data, line 17"), for sentences about it. `scale` is set where
    the layout itself tells it.
    """

    user: np.ndarray  # (N,) int64
    item: np.ndarray  # (N,) int64
    rating: np.ndarray  # (N,) float64
    where: Callable[[int], str]
    scale: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Table:
    """Text cut into rows: `body` has one row a line and `separator` between fields; blank lines do not count."""

    name: str
    header: list[str] | None
    body: bytes
    separator: str
    width: int
    first_line: int  # of `body` in the file, from 1

    def lines(self) -> Iterator[tuple[int, str]]:
        text = self.body.decode("utf-8", errors="replace")
        return ((n, line) for n, line in enumerate(text.split("\n"), self.first_line) if line.strip("\r"))

    def where(self, row: int) -> str:
        number = next(n for k, (n, _) in enumerate(self.lines()) if k == row)
        return f"{self.name}, line {number}"

    def parse(self, kinds: Sequence[type | None]) -> list[np.ndarray]:
        """The columns whose kind is int or float, as int64 and float64; None is skipped. Names the line at fault."""
        names = [str(k) for k in range(self.width)]
        wanted = {n: pa.int64() if kind is int else pa.float64()
                  for n, kind in zip(names, kinds, strict=True) if kind}
        convert = pa.csv.ConvertOptions(column_types=wanted, include_columns=list(wanted), null_values=[])
        native = pa.BufferOutputStream()  # Arrow's own memory: its threads may let go of it while Python is ending
        native.write(self.body)
        try:
            table = pa.csv.read_csv(
                pa.BufferReader(native.getvalue()),
                read_options=pa.csv.ReadOptions(column_names=names),
                parse_options=pa.csv.ParseOptions(delimiter=self.separator),
                convert_options=convert,
            )
        except pa.ArrowInvalid as error:
            raise self.fault(kinds) or InputError(f"{self.name} cannot be read as ratings: {error}") from None
        # not to_numpy: it imports pandas, which takes longer than the reading
        return [np.concatenate([np.from_dlpack(chunk) for chunk in table.column(n).chunks]) for n in wanted]

    def fault(self, kinds: Sequence[type | None]) -> InputError | None:
        """The first line that is not `width` numbers of these kinds, as a sentence."""
        for number, line in self.lines():
            where = f"{self.name}, line {number}"
            fields = fields_of(line, self.separator)
            if len(fields) != self.width:
                return InputError(f"{where} has {len(fields)} column(s), the first line has {self.width}; {EXPECTED}")
            for column, (field, kind) in enumerate(zip(fields, kinds, strict=True), 1):
                if kind is int and not re.fullmatch(r"\s*-?\d{1,18}\s*", field):
                    return InputError(f"{where}: the id '{field}' in column {column} is not an integer")
                if kind is float and not is_number(field):
                    return InputError(f"{where}: '{field}' in column {column} stands where a number belongs")
        return None


def fields_of(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line.strip("\r")], delimiter=separator), [])
    except csv.Error:  # a field beyond the module's limit: not a table of ratings, but the sentence wants its fields
        return line.split(separator)


def is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return "_" not in field


def cut(name: str, text: bytes) -> Table:
    """Find the separator and the header, if any."""
    text = text.removeprefix(b"\xef\xbb\xbf")
    start = re.search(rb"[^\s]", text)
    if not start:
        raise InputError(f"{name} is empty; {EXPECTED}")
    first_line = text.count(b"\n", 0, start.start()) + 1
    text = text[text.rfind(b"\n", 0, start.start()) + 1:]
    head = text.partition(b"\n")[0]
    separator = next((s for s in ("::", ";", ",", "\t") if s.encode() in head), " ")
    if separator == "::":
        text, separator = text.replace(b"::", b"\t"), "\t"
    elif separator in "\t ":  # Jester's own files have two tabs, the course's any number of blanks
        text, separator = squeeze(text.replace(separator.encode(), b"\t")), "\t"
    head, _, rest = text.partition(b"\n")
    fields = fields_of(head.decode("utf-8", errors="replace"), separator)
    numbers = [is_number(f) for f in fields]
    if not any(numbers) or (len(fields) > 4 and not numbers[0]):
        header = [re.sub(r"[\s_\-\"']", "", f).lower() for f in fields]
        return Table(name, header, rest, separator, len(fields), first_line + 1)
    return Table(name, None, text, separator, len(fields), first_line)


def squeeze(text: bytes) -> bytes:
    """Runs of tabs -> one; none at the ends of lines."""
    text = text.replace(b"\r\n", b"\n")
    while b"\t\t" in text:
        text = text.replace(b"\t\t", b"\t")
    return text.replace(b"\n\t", b"\n").replace(b"\t\n", b"\n").strip(b"\t")


def read_text(name: str, text: bytes) -> Triples:
    """Triples from the text of a file called `name`."""
    table = cut(name, text)
    if not table.body.strip():
        raise InputError(f"{name} has a header but no ratings")
    columns = columns_by_name(table.header) if table.header else ((0, 1, 2) if table.width in (3, 4) else None)
    if columns:
        return read_long(table, columns)
    if table.width < 5 or (table.header and not all(re.fullmatch(r"\D*\d+", f) for f in table.header[1:])):
        found = f"the columns {', '.join(table.header)}" if table.header else f"{table.width} column(s)"
        raise InputError(f"{name} has {found}; {EXPECTED}")
    return read_wide(table)


def columns_by_name(header: Sequence[str]) -> tuple[int, int, int] | None:
    """Where user, item and rating stand in a header; None if one of them has no column of a known name."""
    found = [next((k for k, name in enumerate(header) if name in NAMES[role]), None)
             for role in ("user", "item", "rating")]
    user, item, rating = found
    return None if user is None or item is None or rating is None else (user, item, rating)


def read_long(table: Table, columns: tuple[int, int, int]) -> Triples:
    """A rating a line."""
    kinds: list[type | None] = [None] * table.width
    for column, kind in zip(columns, (int, int, float), strict=True):
        kinds[column] = kind
    parsed = dict(zip(sorted(columns), table.parse(kinds), strict=True))
    user, item, rating = (parsed[c] for c in columns)
    return Triples(user, item, rating, table.where)


def read_wide(table: Table) -> Triples:
    """A user a row and an item a column; ids are those of the header, or counted from 1."""
    matrix = np.column_stack(table.parse([float] * table.width))
    first, rest = matrix[:, 0], matrix[:, 1:]
    user_ids, scale = np.arange(1, len(matrix) + 1, dtype=np.int64), None
    counted = first == (rest != MISSING).sum(1)
    if table.header and table.header[0] in NAMES["user"] | {""}:
        whole = first == np.floor(first)
        if not whole.all():
            row = int(np.argmin(whole))
            raise InputError(f"{table.where(row)}: the id '{first[row]:g}' in column 1 is not an integer")
        user_ids = first.astype(np.int64)
    elif table.header or counted.mean() > 0.5:  # Jester's own
        if not counted.all():
            row = int(np.argmin(counted))
            raise InputError(f"{table.where(row)}: the first column says that {first[row]:g} items are rated, "
                             f"but {int((rest[row] != MISSING).sum())} of the others are not 99")
        scale = JESTER_SCALE
    else:
        rest = matrix
    names = [re.sub(r"\D", "", f) for f in table.header[1:]] if table.header else range(1, rest.shape[1] + 1)
    item_ids = np.array([int(n) for n in names])
    rows, columns = np.nonzero(rest != MISSING)
    if not len(rows):
        raise InputError(f"{table.name} is a matrix without a rating: every entry is 99")
    return Triples(user_ids[rows], item_ids[columns], rest[rows, columns],
                   lambda n: f"{table.where(int(rows[n]))}, item {item_ids[columns[n]]}", scale)
