"""What reading takes of memory, and that it is not begun where there is less."""

import gzip
import os

import pytest

import room
from data.rating_files import read_sheet
from errors import InputError
from tests.support import ROOT

BYTES = 130  # a rating, at the most: 93 to 110 with what Arrow holds; 157 with a column's text beside its codes


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="the most memory held is not known here")
def test_reading_takes_so_many_bytes_a_rating(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "bench")
    import scale

    path, warm = tmp_path / "ratings.csv", tmp_path / "warm.csv"
    scale.write(path, 500_000)
    scale.write(warm, 10_000)
    found = scale.apart(path, warm, fit=False)
    assert found["count"] == 500_000
    assert 24 <= found["read"] < BYTES  # two int64 and a double are kept


@pytest.mark.parametrize("packed", [False, True])
def test_what_does_not_fit_is_said_before_it_is_read(packed, tmp_path, monkeypatch):
    """Text by its length; what is packed while it is unpacked, for it does not say how long it is."""
    path, text = tmp_path / "ratings.csv", b"user,item,rating\n" + b"".join(b"%d,%d,3\n" % (k, k) for k in range(1000))
    path.write_bytes(gzip.compress(text) if packed else text)
    monkeypatch.setattr(room, "free", lambda: len(text))
    with pytest.raises(InputError, match=r"^reading ratings.csv would take .*: that is [\d.,]+ times too much$"):
        read_sheet(path, print)
    monkeypatch.setattr(room, "free", lambda: 3 * len(text))
    assert read_sheet(path, print).width == 3
