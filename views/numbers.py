"""Numbers as people read them; None stays None, which a table shows as a dash."""

from __future__ import annotations

import re
from math import inf

NUMBER = re.compile(r"[~<>=+\s-]*\d[\d.,e+-]*%?( \(\d.*\))?( ± .*)?|-|nan|inf")


def decimals(value: float | None, digits: int = 4, below: float = inf, figures: int = 3) -> str | None:
    """`digits` decimals; where a fit that diverged reaches `below`, so many figures instead.

    >>> decimals(1.3055), decimals(27182.8, below=1e4), decimals(None)
    ('1.3055', '2.72e+04', None)
    """
    return None if value is None else f"{value:.{digits}f}" if abs(value) < below else f"{value:.{figures}g}"


def rhat(value: float | None) -> str | None:
    """Three decimals; three figures where chains stand still and apart, so that nothing but rounding is within them.

    >>> rhat(1.0123), rhat(31064897.145), rhat(None)
    ('1.012', '3.11e+07', None)
    """
    return decimals(value, 3, below=1e3)


def with_error(value: float | None, error: float | None, digits: int = 4, below: float = inf) -> str | None:
    """A number with its standard error in brackets, where it has one.

    >>> with_error(1.37261, 0.00449), with_error(1.37261, None), with_error(None, None)
    ('1.3726 (0.0045)', '1.3726', None)
    """
    said = decimals(value, digits, below)
    return said if said is None or error is None else f"{said} ({decimals(error, digits, below)})"


def three(value: float | None) -> str | None:
    """Three figures, as 1,230 rather than 1.23e+03.

    >>> three(1234.5), three(0.06831), three(2.5e7)
    ('1,230', '0.0683', '2.5e+07')
    """
    return None if value is None else f"{float(f'{value:.3g}'):,.0f}" if 100 <= abs(value) < 1e6 else f"{value:.3g}"


def whole(value: float | None) -> int | None:
    """Rounded."""
    return None if value is None else round(value)


def cell(value: object) -> str:
    """One cell of a table.

    >>> [cell(v) for v in (None, True, 12345, 0.5, 1234.5, "word")]
    ['-', 'yes', '12,345', '0.5', '1,234.500', 'word']
    """
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:,.3f}" if abs(value) < 1e6 else f"{value:.6g}"
    return str(value)


def is_number(words: str) -> bool:
    """Whether a cell stands to the right.

    >>> [is_number(words) for words in ("1.3726 (0.0045)", ">= -3", "2 to 5", "K", "12%")]
    [True, True, False, False, True]
    """
    return bool(NUMBER.fullmatch(words))
