"""Parquet, one file or a folder of them, and MatrixMarket, as sheets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as parquet

from data.rating_sheet import FILE, LONGEST, Words, number, plain, shown
from data.rating_text import SAMPLE, TextSheet, cut
from errors import InputError

REAL = ("real", "integer", "double")  # the fields of a MatrixMarket file that are ratings
EXACT = 2.0**53  # whole numbers beyond it are not all float64's
LARGE, LIKELY = 2**23, 200  # bytes; ids and ratings are not so many times as long as in Parquet


@dataclass(frozen=True, eq=False)
class TableSheet:
    """A table with types; `parts` are the files it came of, by their first rows."""

    name: str
    table: pa.Table
    parts: tuple[tuple[int, str], ...]
    commas = True

    @property
    def header(self) -> list[str]:
        return [plain(n) if len(n) <= LONGEST else n[:99] for n in self.table.column_names]

    @property
    def width(self) -> int:
        return self.table.num_columns

    @property
    def sample(self) -> list[list[str]]:
        few = replace(self, table=self.table.slice(0, SAMPLE))
        return [list(row) for row in zip(*(_list(w) for w in few.columns(range(self.width))), strict=True)]

    def where(self, row: int) -> str:
        start, name = next((s, n) for s, n in reversed(self.parts) if s <= row)
        return f"{name}, row {row - start + 1}"

    def columns(self, wanted: Sequence[int]) -> list[Words]:
        return [self._words(n) for n in wanted]

    def _words(self, place: int) -> Words:
        """Values as they would be written in a CSV: whole floats without a fraction."""
        column = self.table.column(place)
        kind = column.type
        if pa.types.is_dictionary(kind):
            column, kind = column.cast(kind.value_type), kind.value_type
        try:
            if pa.types.is_floating(kind):
                column = _floats(column.cast(pa.float64()))
            elif pa.types.is_fixed_size_binary(kind) or kind == pa.uuid():
                column = pa.chunked_array([pa.array([None if v is None else str(v) if not isinstance(v, bytes) else
                                                     v.hex() for v in column.to_pylist()], pa.string())])
            return Words.of(column.cast(pa.string()))
        except (pa.ArrowException, UnicodeDecodeError, NotImplementedError):
            raise InputError(f"{self.name}: column {shown(self.table.column_names[place])} holds neither numbers nor "
                             f"text") from None


def _list(words: Words) -> list[str]:
    return [words[n] for n in range(len(words))]


def _floats(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Each as the shortest text that is it; nothing where there is none."""
    distinct = column.dictionary_encode().unify_dictionaries()
    out = []
    for chunk in distinct.chunks:
        values = [None if v is None or v != v else str(int(v)) if v == int_or(v) and abs(v) <= EXACT else repr(v)
                  for v in chunk.dictionary.to_pylist()]
        out.append(pc.take(pa.array(values, pa.string()), chunk.indices))
    return pa.chunked_array(out, pa.string())


def int_or(value: float) -> float:
    """The whole part; of an infinity, nothing that is equal to it."""
    return float("nan") if abs(value) == float("inf") else float(int(value))


def from_parquet(name: str, raw: bytes) -> TableSheet:
    """One file. Errors: InputError for one that is damaged."""
    native = pa.BufferOutputStream()  # Arrow's own memory, see `TextSheet`
    native.write(raw)
    try:
        _check_size(name, parquet.read_metadata(pa.BufferReader(native.getvalue())), len(raw))
        table = parquet.read_table(pa.BufferReader(native.getvalue()))
        table.validate(full=True)
        [name.encode() for name in table.column_names]
        table = index_first(table)
    except InputError:
        raise
    except (pa.ArrowException, OSError, ValueError, NotImplementedError, MemoryError):
        raise InputError(f"{name} is a damaged Parquet file, or one of a kind that is not read here; fetch or write it "
                         f"again") from None
    if not len(table):
        raise InputError(f"{name} has columns but no ratings")
    return TableSheet(name, table, ((0, name),))


def _check_size(name: str, said: parquet.FileMetaData, size: int) -> None:
    """Errors: InputError, before anything is unpacked, for so many entries that so small a file holds no ratings."""
    entries = said.num_rows * said.num_columns
    if 8 * entries > LARGE and 8 * entries > LIKELY * size:
        raise InputError(f"{name} says that it has {said.num_rows} rows of {said.num_columns} columns, in a file of "
                         f"{size} bytes, as no ratings do: look at it, and write it as CSV")


def index_first(table: pa.Table) -> pa.Table:
    """The index of a pandas frame before its columns, as a CSV has it."""
    said = (table.schema.pandas_metadata or {}).get("index_columns", [])
    index = [name for name in said if isinstance(name, str) and name in table.column_names]
    others = [name for name in table.column_names if name not in index]
    if not index or len(set(table.column_names)) < table.num_columns:
        return table
    return table.select(index + others).rename_columns(
        ["" if re.fullmatch(r"__index_level_\d+__", name) else name for name in index] + others)


def files_of(folder: Path) -> list[Path]:
    """The Parquet files of a folder and below, in the order of their names."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".parquet", ".pq", ".parq") and p.is_file()
                  and not any(part.startswith((".", "_")) for part in p.relative_to(folder).parts))


def check_alike(headers: Sequence[tuple[str, list[str]]]) -> None:
    """Errors: InputError where files, by name, have other columns than the first."""
    for name, columns in headers:
        if columns != headers[0][1]:
            raise InputError(f"{name} and {headers[0][0]} of one folder have different columns; give one of them, or "
                             f"write them alike")


def from_folder(folder: Path) -> TableSheet:
    """All Parquet files of a folder as one table."""
    paths = files_of(folder)
    if not paths:
        raise InputError(f"'{plain(folder, FILE)}' is a folder without Parquet files; give a file, or a folder of "
                         f"those")
    sheets = [_placed(from_parquet(plain(p.name, FILE), p.read_bytes()), p.relative_to(folder)) for p in paths]
    check_alike([(sheet.name, sheet.table.column_names) for sheet in sheets])
    starts = np.cumsum([0, *(len(s.table) for s in sheets)]).tolist()
    try:
        table = pa.concat_tables([s.table for s in sheets], promote_options="permissive")
    except pa.ArrowException:
        raise InputError(f"the files of folder '{plain(folder.name, FILE)}' have columns of different types; write "
                         f"them alike") from None
    places = zip(starts, (s.name for s in sheets), strict=False)
    return TableSheet(plain(folder.name, FILE) or "the folder", table, tuple(places))


def _placed(sheet: TableSheet, path: Path) -> TableSheet:
    """With a column for each folder whose name says what is in it, as `year=2019` does."""
    table = sheet.table
    for key, equals, value in (part.partition("=") for part in path.parts[:-1]):
        if equals and key not in table.column_names:
            table = table.append_column(key, pa.repeat(pa.scalar(unquote(value)), len(table)))
    return replace(sheet, table=table)


def _coordinates(name: str, text: str) -> str:
    """An `array` file as a `coordinate` one. Errors: InputError for sizes or values that are none."""
    words = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("%")]
    sizes = words[0] if words else []
    if len(sizes) != 2 or not all(w.isdecimal() for w in sizes):
        raise InputError(f"{name}: after its remarks a MatrixMarket array says rows and columns; this one says "
                         f"{shown(' '.join(sizes))}")
    rows, values = int(sizes[0]), [w for line in words[1:] for w in line]
    if len(values) != rows * int(sizes[1]):
        raise InputError(f"{name} says that it has {rows} x {sizes[1]} values, and has {len(values)}: it is damaged or "
                         f"cut short")
    wrong = next((w for w in values if number(w) is None), None)
    if wrong is not None:
        raise InputError(f"{name}: {shown(wrong)} stands where a number belongs")
    lines = [f"{i + 1} {j + 1} {values[j * rows + i]}" for i in range(rows) for j in range(int(sizes[1]))
             if number(values[j * rows + i]) != 0]
    return "\n".join([f"{rows} {sizes[1]} {len(lines)}", *lines])


def from_matrix_market(name: str, text: str) -> TextSheet:
    """`%%MatrixMarket matrix coordinate real general`: row, column and value a line, counted from 1; or `array`: the
    values alone, a column after the other, 0 where nothing was rated."""
    first = text.partition("\n")[0].lower().split()
    if len(first) == 5 and first[3] == "pattern":
        raise InputError(f"{name} is a pattern MatrixMarket file: it says who rated what, and not how; write it with "
                         f"the ratings, as 'matrix coordinate real general'")
    if len(first) == 5 and first[2] == "array" and first[3] in REAL and first[4] == "general":
        text = _coordinates(name, text)
    elif len(first) != 5 or first[2] != "coordinate" or first[3] not in REAL:
        raise InputError(f"{name} is MatrixMarket, but not 'matrix coordinate real general' or 'integer', which is "
                         f"what is read: its first line says {shown(' '.join(first[1:]))}")
    if first[4] != "general":
        raise InputError(f"{name} is a {plain(first[4])} MatrixMarket file: its rows and columns are the same things, "
                         f"and those of ratings are users and items; write it as general")
    sizes = re.search(r"(?m)^[ \t]*[^%\s].*$", text)
    found = sizes[0].split() if sizes else []
    if sizes is None or len(found) != 3 or not all(w.isdecimal() and len(w) < 16 for w in found):
        raise InputError(f"{name}: after its remarks a MatrixMarket file says rows, columns and entries; this one says "
                         f"{shown(sizes[0] if sizes else '')}")
    before = text[:sizes.end()].count("\n") + 1
    body = text[sizes.end():].lstrip("\n")
    if not body.strip():
        raise InputError(f"{name} is a matrix without a rating")
    sheet = cut(name, body)
    sheet = replace(sheet, first_line=sheet.first_line + before)
    entries = sum(1 for _ in sheet.rows())
    if entries != int(found[2]):
        raise InputError(f"{name} says that it has {found[2]} entries, and has {entries}: it is damaged or cut short")
    return sheet
