"""What a kernel says that it does not take, told from what goes wrong in it.

A refusal is an InputError from anywhere, or any exception that the kernel's own file, or one beside it, raises by a
`raise` or an `assert` of its own. What a library raises in it, or an index that is not there, is a fault.
"""

from __future__ import annotations

import dis
import linecache
from pathlib import Path
from types import TracebackType

from errors import InputError
from inference.method import Method


class Refused(InputError):
    """The kernel's own file said that it does not take a problem; its words, and where they stand."""


def refused(error: BaseException | None, method: Method) -> Refused | None:
    """The refusal that an exception is, or None."""
    last = error.__traceback__ if error else None
    while last and last.tb_next:
        last = last.tb_next
    if error is None or last is None or not (own(last, method) and by_statement(last)):
        return None
    file, line = last.tb_frame.f_code.co_filename, last.tb_lineno
    words = str(error) or linecache.getline(file, line).strip()
    return Refused(f"{words} ({type(error).__name__}, {Path(file).name}, line {line})")


def own(last: TracebackType, method: Method) -> bool:
    """Whether that is the kernel's own file, or one in the same folder."""
    file = getattr(method.module, "__file__", None) or method.module.__name__
    return Path(last.tb_frame.f_code.co_filename).resolve().parent == Path(file).resolve().parent


def by_statement(last: TracebackType) -> bool:
    """Whether a `raise` or an `assert` stands there, not an operation that failed."""
    return last.tb_frame.f_code.co_code[last.tb_lasti] == dis.opmap["RAISE_VARARGS"]
