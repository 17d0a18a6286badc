"""What reading takes of memory."""

import os

import pytest

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
