"""A grid of labels to draw on, by pointer or by keys."""

from __future__ import annotations

import anywidget
import traitlets

from playground.svg import LABELS


class Painter(anywidget.AnyWidget):
    """`labels` row by row; `at`, the pixel that the pointer or the cursor is on. Arrows move it, 0, 1, ... paint."""

    _esm = """
    function render({ model, el }) {
      const board = document.createElement("canvas");
      const size = 220;
      let brush = 1, down = false, seen = -1, waiting = null;
      board.tabIndex = 0;
      board.style.cssText = "touch-action:none;cursor:crosshair;border:1px solid #888;image-rendering:pixelated";
      board.setAttribute("role", "img");
      const draw = () => {
        const width = model.get("width"), labels = model.get("labels"), height = labels.length / width;
        const cell = Math.floor(size / Math.max(width, height));
        board.width = cell * width; board.height = cell * height;
        board.setAttribute("aria-label", `The clean image, ${height} by ${width} pixels: arrow keys move, ` +
                           `digits paint; row ${Math.floor(seen / width) + 1}, column ${seen % width + 1}`);
        const pen = board.getContext("2d");
        labels.forEach((label, n) => {
          pen.fillStyle = model.get("colours")[label];
          pen.fillRect(cell * (n % width), cell * Math.floor(n / width), cell, cell);
        });
        if (seen >= 0) {
          pen.strokeStyle = "#000"; pen.lineWidth = 2;
          pen.strokeRect(cell * (seen % width) + 1, cell * Math.floor(seen / width) + 1, cell - 2, cell - 2);
        }
      };
      const save = () => { clearTimeout(waiting); waiting = setTimeout(() => model.save_changes(), 60); };
      const look = (n) => { seen = n; model.set("at", n); draw(); save(); };
      const paint = (n, label) => {
        const labels = model.get("labels").slice();
        labels[n] = label;
        model.set("labels", labels); look(n);
      };
      const where = (event) => {
        const box = board.getBoundingClientRect(), width = model.get("width");
        const height = model.get("labels").length / width;
        const x = Math.floor((event.clientX - box.left) / box.width * width);
        const y = Math.floor((event.clientY - box.top) / box.height * height);
        return Math.min(Math.max(y, 0), height - 1) * width + Math.min(Math.max(x, 0), width - 1);
      };
      board.addEventListener("pointerdown", (event) => {
        const n = where(event);
        down = true; brush = (model.get("labels")[n] + 1) % model.get("states");
        board.setPointerCapture(event.pointerId); paint(n, brush);
      });
      const stroke = (n) => {  // what lies between two places of a quick pointer, too
        const width = model.get("width"), x = seen % width, y = Math.floor(seen / width);
        const dx = n % width - x, dy = Math.floor(n / width) - y, steps = Math.max(Math.abs(dx), Math.abs(dy));
        for (let k = 1; k <= steps; k++) {
          paint((y + Math.round(dy * k / steps)) * width + x + Math.round(dx * k / steps), brush);
        }
      };
      board.addEventListener("pointermove", (event) => {
        const passed = event.getCoalescedEvents();
        for (const each of passed.length ? passed : [event]) {
          const n = where(each);
          if (n !== seen) { if (down) { stroke(n); } else { look(n); } }
        }
      });
      board.addEventListener("pointerup", () => { down = false; });
      board.addEventListener("keydown", (event) => {
        const width = model.get("width"), last = model.get("labels").length - 1;
        const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -width, ArrowDown: width }[event.key];
        const label = "0123456789".indexOf(event.key);
        if (step) { event.preventDefault(); look(Math.min(Math.max(Math.max(seen, 0) + step, 0), last)); }
        else if (label >= 0 && label < model.get("states")) { paint(Math.max(seen, 0), label); }
      });
      model.on("change:labels", draw);
      draw();
      el.appendChild(board);
    }
    export default { render };
    """
    width = traitlets.Int(12).tag(sync=True)
    states = traitlets.Int(2).tag(sync=True)
    labels = traitlets.List(traitlets.Int()).tag(sync=True)
    colours = traitlets.List(traitlets.Unicode(), list(LABELS)).tag(sync=True)
    at = traitlets.Int(-1).tag(sync=True)
