"""The pages as they are served: on this machine alone, behind a token, and in a browser where there is one."""

import io
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
from PIL import Image

from commands import play
from inference.user_file import import_file
from playground import denoising, factorization
from playground.steps import apart, wrong
from run import guarded

pytest.importorskip("marimo", reason="requirements-play.txt is not installed")
pytest.importorskip("anywidget", reason="requirements-play.txt is not installed")

TOKEN = "a-token"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NAMES = [path.stem for path in sorted(play.PAGES.glob("*.py"))]


@pytest.mark.parametrize("name", NAMES)
def test_a_page_runs_as_it_stands(name):
    import_file(play.PAGES / f"{name}.py").app.run()


def test_other_words_and_what_is_not_installed_are_sentences(monkeypatch, capsys):
    assert guarded(["--play", "--jobs", "2"]) == 2
    assert "leave out the other words" in capsys.readouterr().err
    monkeypatch.setattr(play, "NEEDED", ("marimo", "no_such_module"))
    assert guarded(["--play"]) == 2
    assert "--play needs no_such_module: pip install -r requirements-play.txt" in capsys.readouterr().err


def test_every_start_has_a_token_of_its_own(monkeypatch):
    started = []

    def run(words, **_):
        started.append(words)
        return subprocess.CompletedProcess(words, 0)

    monkeypatch.setattr(play.subprocess, "run", run)
    assert guarded(["--play"]) == guarded(["--play"]) == 0
    tokens = {words[words.index("--token-password") + 1] for words in started}
    assert len(tokens) == 2 and min(map(len, tokens)) >= 16
    assert all(words[words.index("--host") + 1] == "127.0.0.1" for words in started)


@pytest.fixture(scope="module")
def address():
    """Where the pages are served, while the tests here last."""
    with socket.socket() as free:
        free.bind((play.HOST, 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([*play.served(TOKEN), "--headless", "--port", str(port)], env=play.environment(),
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://{play.HOST}:{port}/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://{play.HOST}:{port}"
    finally:
        server.terminate()
        server.wait()


def test_without_the_token_nothing_is_shown(address):
    with urllib.request.urlopen(address, timeout=30) as answer:
        assert "login" in answer.url
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{address}/api/status", timeout=30)


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no chromium here: apt-get install chromium")
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with driver.sync_playwright() as tools:
        found = tools.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def page(address, browser):
    """A page of its own session, which must send nothing elsewhere and find nothing wrong."""
    shown, asked, errors = browser.new_page(viewport={"width": 1280, "height": 1000}), [], []
    shown.on("request", lambda request: asked.append(request.url))
    shown.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield shown
    shown.close()
    assert not errors
    assert {url.split("/")[2] for url in asked if url.startswith(("http", "ws"))} == {address.removeprefix("http://")}


def opened(page, address, name, until):
    page.goto(f"{address}/?file={name}.py&access_token={TOKEN}", timeout=120_000)
    page.get_by_text(until).first.wait_for(timeout=120_000)


CROSS = denoising.SHAPES["cross"](12, 2)


def expected(clean=CROSS, coupling=0.7) -> str:
    """What the library says of mean field, as the page does."""
    scene = denoising.scene(clean, 12, 2, 0.15, 0, 1.5, coupling, 1.0)
    films = denoising.films(scene)
    beliefs, exact = films["mean_field"].marginals[19], films["strip"].marginals[0]
    return f"{wrong(beliefs, clean):.0%} wrong; marginals off by up to {apart(beliefs, exact):.3f}"


def test_a_slider_by_keys_changes_the_numbers_to_the_librarys(address, page):
    opened(page, address, "denoising", "strip (exact)")
    assert page.get_by_text(expected()).count() and expected() != expected(coupling=0.85)
    knob = page.get_by_role("slider").nth(2)  # noise, evidence, coupling
    knob.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.get_by_text(expected(coupling=0.85)).first.wait_for(timeout=60_000)


def test_a_pixel_painted_by_keys_is_looked_at_and_counted(address, page):
    opened(page, address, "denoising", "strip (exact)")
    board = page.locator("canvas").first
    board.focus()
    page.keyboard.press("ArrowRight")
    page.get_by_text("Row 1, column 2").first.wait_for(timeout=60_000)
    assert "message from the left" in page.content() and "message from above" not in page.content()


def test_an_image_is_given_and_drawn_upon_until_a_shape_is_chosen(address, page):
    def give(content):
        page.locator("input[type=file]").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": content})

    def shown(words):
        page.get_by_text(words).first.wait_for(timeout=60_000)

    opened(page, address, "denoising", "strip (exact)")
    file = io.BytesIO()
    Image.fromarray(np.uint8(200 * (np.indices((48, 48)).sum(0) < 30))).save(file, "png")
    ours = denoising.read(file.getvalue(), 12, 2)
    painted = list(ours)
    for row, column in ((8, 6), (8, 7), (8, 8), (8, 9), (9, 9)):
        painted[12 * row + column] = 1 - ours[-1]
    assert len({expected(), expected(ours), expected(tuple(painted))}) == 3
    give(file.getvalue())
    shown(expected(ours))
    board = page.locator("canvas").first.bounding_box()
    cell = board["width"] / 12
    page.mouse.move(board["x"] + 6.5 * cell, board["y"] + 8.5 * cell)
    page.mouse.down()  # the brush is the next label, and paints what it is drawn over, though it is quick
    page.mouse.move(board["x"] + 9.5 * cell, board["y"] + 8.5 * cell)
    page.mouse.move(board["x"] + 9.5 * cell, board["y"] + 9.5 * cell)
    page.mouse.up()
    shown("Row 10, column 10")
    shown(expected(tuple(painted)))
    give(b"no image")
    shown("give a PNG or a JPEG")
    page.get_by_label("shape").select_option(label="stripes")
    page.get_by_label("shape").select_option(label="cross")
    shown(expected())


def test_the_other_pages_show_what_they_promise(address, page):
    opened(page, address, "factorization", "standard deviation of")
    guide, kernel = "mean field, row by row", "Gibbs, entry by entry"
    page.get_by_label("guide").select_option(label=guide)
    page.get_by_label("kernel").select_option(label=kernel)
    world = factorization.World(10, 8, 2, 5.0, 30, 0)
    beliefs = {guide: factorization.belief(factorization.GUIDES[guide], world),
               kernel: factorization.belief(factorization.KERNELS[kernel], world)}
    page.get_by_text(factorization.said(beliefs, 0)).first.wait_for(timeout=120_000)
    heads = page.locator("th").all_inner_texts()
    assert guide in heads and kernel in heads and len(heads) == 5
    page.locator("input[inputmode=numeric]").fill("")
    page.keyboard.press("Tab")
    page.get_by_text("Give a seed").first.wait_for(timeout=60_000)
    opened(page, address, "guessing", "kernel number")
    page.get_by_text("wrong", exact=True).first.click()
    page.get_by_role("button", name="judge it").click()
    page.get_by_text("is WRONG").first.wait_for(timeout=120_000)


@pytest.mark.slow
def test_a_telephone_shows_all_of_it(address, page):
    page.set_viewport_size({"width": 360, "height": 740})
    opened(page, address, "denoising", "strip (exact)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


READY = {"denoising": "strip (exact)", "factorization": "standard deviation of", "guessing": "kernel number"}
MARIMOS = ("region", "button-name", "aria-allowed-role", "presentation-role-conflict")  # of its frame, menu and upload
ITS = ('type="file"', "<span>Back</span>")  # elements of marimo's own
LOOKS = [(name, width, scheme) for name in NAMES for width, scheme in ((1280, "light"), (360, "dark"))]
QUICK = (("denoising", 1280, "light"), ("factorization", 360, "dark"))


@pytest.mark.parametrize(("name", "width", "scheme"), [
    look if look in QUICK else pytest.param(*look, marks=pytest.mark.slow) for look in LOOKS])
def test_axe_finds_nothing_of_ours_and_it_fits(address, page, name, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    opened(page, address, name, READY[name])
    page.wait_for_timeout(500)
    found = [(v["id"], node["html"]) for v in axe.Axe().run(page).response["violations"] if v["id"] not in MARIMOS
             for node in v["nodes"] if not any(element in node["html"] for element in ITS)]
    assert not found
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    small = "[...document.querySelectorAll('svg[role=img], img[alt]')].map(e => e.getBoundingClientRect().width)"
    assert min(page.evaluate(small), default=1000) >= 130  # nothing is squeezed into a corner
    assert page.evaluate("document.querySelector('.dark, .dark-theme') !== null") == (scheme == "dark")


@pytest.mark.slow
def test_every_control_of_the_denoising_page_changes_what_is_shown(address, page):
    """By the keyboard alone; so does every one of the factorization page."""
    for name, sliders in (("denoising", 4), ("factorization", 4)):
        opened(page, address, name, READY[name])
        for k in range(sliders):
            before = page.locator("main, #root, body").first.inner_text()
            knob = page.get_by_role("slider").nth(k)
            knob.focus()
            page.keyboard.press("ArrowRight")
            page.keyboard.press("ArrowRight")
            page.wait_for_function("before => document.body.innerText !== before", arg=before, timeout=60_000)


def test_play_goes_on_by_itself_and_pauses(address, page):
    opened(page, address, "denoising", READY["denoising"])

    def sweep():
        return int(re.findall(r"After sweep (\d+)", page.locator("body").inner_text())[0])

    switch, first = page.get_by_role("switch").first, sweep()
    switch.focus()
    page.keyboard.press("Space")
    page.wait_for_function("n => !document.body.innerText.includes(`After sweep ${n} `)", arg=first, timeout=30_000)
    switch = page.get_by_role("switch").first
    switch.focus()
    page.keyboard.press("Space")
    page.wait_for_timeout(1500)
    held = sweep()
    page.wait_for_timeout(1500)
    assert sweep() == held
