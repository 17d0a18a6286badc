"""The text of a rating file, separated by comma, semicolon, tab, '::', '|' or blanks -> a sheet of rows and columns."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa
import pyarrow.csv

from data.rating_columns import looks_like_header
from data.rating_sheet import Sheet, Words, plain
from errors import InputError

EXPECTED = "expected the columns user, item, rating, or a matrix with a row per user and a column per item"
SEPARATORS = ("::", "\t", ";", ",", "|", " ")
SAMPLE = 200  # rows that the separator and the layout are told by
BLOCK = 2**20  # bytes of text that Arrow takes at a time
PIECE = 2**24  # bytes of which it has a copy
CODES = pa.dictionary(pa.int32(), pa.string())


@dataclass(frozen=True, eq=False)
class TextSheet:
    """Text cut into rows: `body` has one row a line and `separator` between fields; blank lines do not count."""

    name: str
    header: list[str] | None
    body: bytes
    separator: str
    width: int
    first_line: int  # of `body` in the file, from 1
    sample: list[list[str]] = field(repr=False)

    @property
    def commas(self) -> bool:
        return self.separator != ","

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Every row that is not blank, and the line on which it ends."""
        return read(self.body.decode(), self.separator, self.first_line, self._quoted)

    @cached_property
    def _quoted(self) -> bool:
        """Whether quotation marks enclose fields: not where one is never closed."""
        return self._table((0,), quoted=True) is not None or self._table((0,), quoted=False) is None

    def where(self, row: int) -> str:
        return f"{self.name}, line {next(itertools.islice(self.rows(), row, None), (self.first_line + row,))[0]}"

    def columns(self, wanted: Sequence[int]) -> list[Words]:
        table = self._table(wanted, quoted=True) or self._table(wanted, quoted=False)
        if table is None:
            raise self._fault()
        found = [Words.of(table.column(k)) for k in range(len(wanted))]
        del table
        pa.default_memory_pool().release_unused()  # Arrow would keep it to itself
        return found

    def _table(self, wanted: Sequence[int], quoted: bool) -> pa.Table | None:
        """Some of the columns, each a number a row and its distinct words; None for what cannot be cut so."""
        marked = quoted and b'"' in self.body
        pieces = [self.body] if marked else _pieces(self.body)
        try:
            return pa.concat_tables([self._read(piece, wanted, quoted, marked) for piece in pieces])
        except pa.ArrowInvalid:
            return None

    def _read(self, piece: bytes | memoryview, wanted: Sequence[int], quoted: bool, marked: bool) -> pa.Table:
        names = [str(k) for k in range(self.width)]
        chosen = [names[n] for n in wanted]
        native = pa.BufferOutputStream()  # Arrow's own memory: its threads may let go of it while Python is ending
        native.write(piece)
        return pa.csv.read_csv(
            pa.BufferReader(native.getvalue()),
            read_options=pa.csv.ReadOptions(column_names=names, block_size=max(BLOCK, 64 * self.width)),
            parse_options=pa.csv.ParseOptions(delimiter=self.separator, quote_char='"' if quoted else False,
                                              newlines_in_values=marked),
            convert_options=pa.csv.ConvertOptions(column_types=dict.fromkeys(chosen, CODES), include_columns=chosen,
                                                  strings_can_be_null=False)).unify_dictionaries()

    def _fault(self) -> InputError:
        """The first line that has not `width` columns."""
        for number, fields in self.rows():
            if len(fields) != self.width:
                return InputError(f"{self.name}, line {number} has {len(fields)} column(s), the first line has "
                                  f"{self.width}; {EXPECTED}")
        return InputError(f"{self.name} cannot be cut into rows: a line is too long, or a quotation mark is never "
                          f"closed")


def _pieces(body: bytes) -> Iterator[memoryview]:
    """Whole lines, about `PIECE` bytes of them at a time; none that is blank."""
    at = 0
    while at < len(body):
        end = body.find(b"\n", at + PIECE) + 1 or len(body)
        if body[at:at + PIECE].strip():
            yield memoryview(body)[at:end]
        at = end


def read(text: str, separator: str, first_line: int = 1, quoted: bool = True) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, and their lines; a quoted field may hold line ends."""
    rows = csv.reader(_each(text, ends=True), delimiter=separator,
                      quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE)
    while True:
        try:
            fields = next(rows, None)
        except csv.Error:  # a field beyond the module's limit
            fields = [""]
        if fields is None:
            return
        if fields and (len(fields) > 1 or fields[0].strip()):
            yield first_line + rows.line_num - 1, fields


def cut(name: str, text: str) -> TextSheet:
    """Find the separator and the header, if any; remarks that begin with # or % come before them."""
    if any(blank + "\n" in text or text.endswith(blank) for blank in " \t\f\v"):  # ten times as fast as the search
        text = re.sub(r"(?m)^[ \t\f\v]+$", "", text)
    last = text.find("\n", len(text.rstrip(" \t\n,;|")))  # a spreadsheet's empty last rows begin there
    text = text[:last + 1] if last >= 0 else text
    begin = re.match(r"(\s*\n|[ \t]*[#%].*(\n|\Z))*", text)
    start = begin.end() if begin else 0
    told = re.match(r'"?sep=(.)"?[ \t]*\n', text[start:])
    start += told.end() if told else 0
    body = text[start:]
    if not body.strip():
        raise InputError(f"{name} is empty; {EXPECTED}")
    separator = told[1] if told else separator_of(body)
    body, separator = tabbed(body, separator)
    rows = read(body, separator)
    first = next(rows, (1, [""]))
    fields, line = first[1], text.count("\n", 0, start) + 1
    header = [plain(f.strip()) for f in fields] if looks_like_header(fields) else None
    if header:
        past = _lines(body, first[0])
        body, line = body[past:], line + first[0]
        rows = read(body, separator)
    sample = [row for _, row in itertools.islice(read(body, separator), SAMPLE)]
    if header and sample and all(len(row) == len(header) + 1 for row in sample):
        header = ["", *header]  # R's write.table names its rows, and not the column of these names
    width = len(header or fields)
    return TextSheet(name, header, body.encode(), separator, width, line, sample)


def filled(sheet: Sheet, what: str) -> Sheet:
    """The same. Errors: InputError for a text with a header and nothing below it."""
    if isinstance(sheet, TextSheet) and sheet.header and not sheet.body.strip():
        raise InputError(f"{sheet.name} has a header but no {what}")
    return sheet


def _lines(text: str, count: int) -> int:
    """Where the line after the first `count` begins."""
    at = 0
    for _ in range(count):
        at = text.find("\n", at) + 1 or len(text)
    return at


def separator_of(body: str) -> str:
    """The one that cuts the first rows into as many fields as the first of all, at least three where one does."""
    lines = "\n".join(itertools.islice((line for line in _each(body) if line.strip()), SAMPLE))
    best, found = (-1.0, 0), ""
    for separator in SEPARATORS:
        if separator not in lines:
            continue
        rows = [row for _, row in read(*tabbed(lines, separator))]
        widths = [len(row) for row in rows]
        agree = sum(w == widths[0] for w in widths) / len(widths)
        score = (agree, -SEPARATORS.index(separator)) if widths[0] >= 3 else (0.0, -SEPARATORS.index(separator))
        if not found or score > best:
            best, found = score, separator
    return found or ","


def _each(text: str, ends: bool = False) -> Iterator[str]:
    """Its lines, one at a time, with their ends or without."""
    at = 0
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        yield text[at:end + ends]
        at = end + 1


def tabbed(text: str, separator: str) -> tuple[str, str]:
    """The text with one character between fields, and that: runs of blanks and Jester's two tabs become one tab."""
    if separator == "::":
        return text.replace("::", "\t"), "\t"
    lines = [line for line in itertools.islice(_each(text), SAMPLE) if line.strip()]
    double = separator == "\t" and all(line.count("\t") == 2 * line.count("\t\t") > 0 for line in lines)
    if separator != " " and not double:
        return text, separator
    text = re.sub(r"[ \t]+" if separator == " " else r"\t+", "\t", text)
    return re.sub(r"(?m)^\t|\t$", "", text), "\t"


