"""The bytes of a text file -> its text, in whatever encoding and with whatever line ends.

    encodings    UTF-8, UTF-16 and UTF-32 (by their marks; UTF-16 without one too), else Windows-1252 or Latin-1
    line ends    of Unix, of Windows and of old Macs
"""

from __future__ import annotations

import codecs

from errors import InputError

MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
         (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
CONTROL = frozenset(map(chr, range(32))) - set("\t\n\r\f\x0b\x1a")


def decoded(name: str, raw: bytes) -> tuple[str, str]:
    """The text of a file with its lines ending in a line feed, and what is worth saying of its encoding."""
    mark, encoding = next(((m, e) for m, e in MARKS if raw.startswith(m)), (b"", ""))
    head, remark = raw[:4096], ""
    if not encoding and b"\0" in head:  # UTF-16 without a mark: every other byte is nought
        even, odd = head[::2].count(0), head[1::2].count(0)
        guess = "utf-16-le" if odd > even else "utf-16-be"
        encoding = guess if max(even, odd) > 0.2 * len(head) and readable(raw, guess) else ""
    try:
        text = raw[len(mark):].decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        if encoding and encoding != "utf-8":
            raise InputError(f"{name} is not {encoding.upper()} text, as its first bytes say it is: it is damaged or "
                             f"cut short (byte {error.start + 1}); save it again as UTF-8") from None
        try:
            text, remark = raw.decode("cp1252"), "Windows-1252"
        except UnicodeDecodeError:
            text, remark = raw.decode("latin-1"), "Latin-1"
    if not printed(text):
        raise InputError(f"{name} is not text, gzip, zip or Parquet (nor bzip2 or xz): save it as CSV")
    said = f"{name} is not UTF-8: read as {remark}" if remark else ""
    text = text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
    return text.rstrip("\x1a"), said


def readable(raw: bytes, encoding: str) -> bool:
    """Whether bytes are text in that encoding."""
    try:
        return printed(raw.decode(encoding))
    except UnicodeDecodeError:
        return False


def printed(text: str) -> bool:
    """Whether text begins like something that is read, not executed."""
    start = text[:4096]
    return sum(c in CONTROL for c in start) <= len(start) / 100
