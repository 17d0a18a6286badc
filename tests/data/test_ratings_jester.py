"""The made-up set against the recipe it states, and the download against a server of our own."""

import hashlib
import http.server
import itertools
import logging
import math
import threading
import zipfile
from pathlib import Path

import pytest
import torch

from data import jester
from data.jester import FILE, SHA256, download_jester
from data.jester_like import NUM_ITEMS, NUM_USERS, draw_items, jester_like, read_cached
from data.ratings import load_ratings
from errors import InputError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def made(folder):
    return jester_like(0, folder)


def test_the_made_up_set_has_the_size_and_kind_it_states(made):
    """The number of ratings is a sum of 63,978 independent counts of sd below 30, so of sd below 7,600; a right
    generator leaves 45,000 about its expectation (5.9 sd) with probability below 1e-8, and a median of 17 or 18
    (the recipe's is 17.6; the sample median's sd is 0.09) with probability below 1e-7."""
    assert (made.num_users, made.num_items, made.scale) == (63_978, 150, (1.0, 5.0))
    assert abs(len(made) - expected_ratings()) < 45_000
    assert 1.7e6 < len(made) < 1.81e6
    assert torch.equal(made.rating.unique(), torch.arange(1.0, 6.0, dtype=torch.float64))
    assert len(torch.unique(made.user * NUM_ITEMS + made.item)) == len(made)
    activity = torch.bincount(made.user, minlength=NUM_USERS)
    assert int(activity.min()) == 1 and int(activity.max()) == 140 and 17 <= int(activity.median()) <= 18
    popularity = torch.bincount(made.item, minlength=NUM_ITEMS)
    assert int(popularity.min()) > 0 and int(popularity.max()) > 5 * int(popularity.min())
    assert made.user_ids[0] == 1 and made.item_ids[-1] == 150


def expected_ratings() -> float:
    """63,978 * E[clip(round(17.6 e^z), 1, 140)], z ~ N(0, 1), by summing over the values of the count."""
    def below(x: float) -> float:
        return 0.5 * math.erfc(-math.log(x / 17.6) / math.sqrt(2))

    mean = sum(1 - below(n - 0.5) for n in range(2, 141)) + 1  # E[n] = sum over n of P(count >= n)
    return NUM_USERS * mean


def test_items_are_drawn_by_weight_without_replacement():
    """Against enumeration of the draws in order. 40,000 users a case, each pair's count binomial: 9 comparisons at
    5.5 standard deviations, failed by a right sampler with probability below 1e-6."""
    weight = torch.tensor([1.0, 2.0, 5.0])
    rng = torch.Generator().manual_seed(0)
    for n in (1, 2, 3):
        rated = draw_items(rng, torch.full((40_000,), n), weight)
        assert (rated.sum(1) == n).all()
        chance = torch.zeros(3)
        for order in itertools.permutations(range(3), n):
            left, p = float(weight.sum()), 1.0
            for j in order:
                p *= float(weight[j]) / left
                left -= float(weight[j])
            chance[list(order)] += p
        sd = (chance * (1 - chance) * 40_000).sqrt() + 1e-3
        assert float(((rated.sum(0) - 40_000 * chance) / sd).abs().max()) < 5.5


def test_same_seed_same_bytes_whatever_else_ran(made, tmp_path):
    torch.manual_seed(5)
    before, threads = torch.random.get_rng_state(), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        again = jester_like(0, tmp_path)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(before, torch.random.get_rng_state())
    for name in ("user", "item", "rating"):
        assert torch.equal(getattr(made, name), getattr(again, name))
    other = jester_like(1, tmp_path)
    assert len(other) != len(made)
    with pytest.raises(InputError, match="the seed of a made-up set must lie"):
        jester_like(-1, tmp_path)


def test_the_copy_is_used_and_a_damaged_one_made_again(made, folder, monkeypatch):
    (path,) = folder.glob("jester-like-0-*.npz")
    assert list(folder.glob("*.part")) == []
    sound = path.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr("data.jester_like.make", None)  # would fail if it were called
        assert torch.equal(jester_like(0, folder).rating, made.rating)
    for damaged in (sound[:1000], b"", sound[:-300_000] + b"\5" * 1000 + sound[-299_000:]):
        path.write_bytes(damaged)
        assert read_cached(path) is None
    assert torch.equal(jester_like(0, folder).rating, made.rating)
    assert path.read_bytes() == sound


def test_a_cache_that_cannot_be_written_costs_only_time(made, tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert torch.equal(jester_like(0, tmp_path / "file").rating, made.rating)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """(url, sha256) of a folder with a small archive laid out like the real one."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    root = tmp_path / "www"
    root.mkdir()
    with zipfile.ZipFile(root / FILE, "w") as archive:
        archive.writestr("jester_ratings.dat", "1\t\t5\t\t0.219\n1\t\t7\t\t-9.281\n2\t\t5\t\t9.5\n")
        archive.writestr("jester_items.dat", "5:\nA joke.\n")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(root))

        def log_message(self, *args):
            logging.getLogger(__name__).debug(args)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/", hashlib.sha256((root / FILE).read_bytes()).hexdigest()
        running.shutdown()


def test_download_prints_the_terms_once_and_keeps_the_file(server, tmp_path):
    url, sha256 = server
    said: list[str] = []
    path = download_jester(url, sha256, tmp_path / "kept", said.append)
    assert path == tmp_path / "kept" / FILE and hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    assert len(said) == 1 and "research use" in said[0] and "133-151" in said[0]
    offline = download_jester("http://127.0.0.1:9/", sha256, tmp_path / "kept", said.append)
    assert offline == path and len(said) == 1
    path.write_bytes(b"damaged")
    assert download_jester(url, sha256, tmp_path / "kept", said.append).read_bytes()[:2] == b"PK"


def test_the_door_reads_what_was_downloaded(server, tmp_path, monkeypatch):
    url, sha256 = server
    kept = download_jester(url, sha256, tmp_path / "kept", lambda _: None)
    monkeypatch.setattr("data.ratings.download_jester", lambda say: kept)
    ratings = load_ratings("jester", say=lambda _: None)
    assert ratings.rating.tolist() == [3, 1, 5] and ratings.scale == (1, 5)
    assert ratings.user_ids == (1, 2) and ratings.item_ids == (5, 7)
    assert load_ratings("jester", scale="keep").rating.tolist() == [0.219, -9.281, 9.5]


def refused(url: str, sha256: str, cache: Path) -> str:
    with pytest.raises(InputError, match="the Jester ratings could not be fetched") as caught:
        download_jester(url, sha256, cache, lambda _: None)
    assert "jester-like" in str(caught.value)
    return str(caught.value)


def test_what_can_go_wrong_with_a_download(server, tmp_path):
    url, sha256 = server
    assert "sends a file whose SHA-256 is not 5c2b9fb8346f..." in refused(url, SHA256, tmp_path / "a")
    assert not (tmp_path / "a" / FILE).exists(), "a file that failed its checksum was kept"
    assert "answers 404" in refused(url + "elsewhere/", sha256, tmp_path / "b")
    assert "cannot be reached (ConnectionError)" in refused("http://127.0.0.1:9/", sha256, tmp_path / "c")
    (tmp_path / "d").write_text("in the way")
    with pytest.raises(InputError, match="cannot be kept in"):
        download_jester(url, sha256, tmp_path / "d", lambda _: None)


def test_the_next_source_is_tried(server, tmp_path, monkeypatch):
    url, sha256 = server
    monkeypatch.setattr(jester, "SOURCES", ("http://127.0.0.1:9/", url))
    assert Path(download_jester(None, sha256, tmp_path / "kept", lambda _: None)).exists()
