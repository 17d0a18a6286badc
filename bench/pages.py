"""From a key on a slider to the new pictures, on a page of the playground in a headless browser: bench/pages.py

The size is a grid's side (--size 32). A press of an arrow moves the coupling; the clock runs in the page, from the key
to the frame after the last panel's picture has changed. Beside it the processor time that the server took, which other
work on the machine does not lengthen; where it has other work, `chrt -r 5 python bench/pages.py` goes before that. It
needs requirements-dev.txt and a chromium.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from statistics import median, quantiles
from typing import Any

ROOT = Path(__file__).parents[1]
COUPLING = 2  # which slider: noise, evidence, coupling
MOST = 60  # steps from its one end to the other
SETTLED = 400  # ms without a change after which the pictures are the new ones
CLOCK = """(settled) => {
  const shown = () => [...document.querySelectorAll("img[alt]")].map((each) => each.src).join();
  window.taken = [];
  let began = 0, before = "", last = 0;
  const look = () => {
    if (began) {
      const now = shown();
      if (now !== before) { before = now; last = performance.now(); }
      if (last && performance.now() - last > settled) { window.taken.push(last - began); began = last = 0; }
    }
    requestAnimationFrame(look);
  };
  window.addEventListener("keydown", () => { before = shown(); last = 0; began = performance.now(); }, true);
  look();
}"""


def main() -> None:
    from playwright.sync_api import sync_playwright

    sys.path.insert(0, str(ROOT))
    from tests.support import browser

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=32, choices=(8, 12, 16, 32), help="side of the grid (default 32)")
    parser.add_argument("--times", type=int, default=MOST, choices=range(2, MOST + 1), metavar="N",
                        help=f"presses, {MOST} at most (default {MOST})")
    args = parser.parse_args()
    with browser.served(ROOT / "playground" / "pages" / "denoising.py") as address, sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=browser.found(), args=browser.SANDBOX)
        page = chromium.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(300_000)
        page.goto(address)
        page.get_by_text("loopy_bp").first.wait_for()
        page.get_by_label("size").select_option(label=f"{args.size} x {args.size}")
        page.get_by_role("slider").nth(COUPLING).press("Home")
        page.wait_for_timeout(3000)
        page.evaluate(CLOCK, SETTLED)
        taken, work = pressed(page, args.times, port=int(address.rpartition(":")[2]))
        chromium.close()
    print(f"{args.size} x {args.size}: {median(taken):.0f} ms from key to picture (median of {len(taken)}; 95% within "
          f"{quantiles(taken, n=20)[-1]:.0f}); processor time of the server {work:.0f} ms a press")


def pressed(page: Any, times: int, port: int) -> tuple[list[float], float]:
    """Milliseconds of every press, and the server's processor time of one."""
    before = processor(port)
    for n in range(times):  # always on, for a scene that was seen before is not computed again
        page.get_by_role("slider").nth(COUPLING).focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function("n => window.taken.length > n", arg=n, timeout=120_000)
    return page.evaluate("window.taken"), (processor(port) - before) / times


def processor(port: int) -> float:
    """Milliseconds of processor time of the server at that port, so far; 0 where /proc does not say."""
    ticks = os.sysconf("SC_CLK_TCK")
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        if f"--port\0{port}\0".encode() in place.read_bytes():
            fields = (place.parent / "stat").read_text().rpartition(")")[2].split()
            return 1000 * (int(fields[11]) + int(fields[12])) / ticks
    return 0.0


if __name__ == "__main__":
    main()
