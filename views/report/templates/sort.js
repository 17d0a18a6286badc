"use strict";
function worth(cell) {
  const words = cell.textContent.trim(), number = parseFloat(words.replace(/,/g, "").replace(/^[~<>=+\s]+/, ""));
  return Number.isNaN(number) ? words : number;
}
function before(a, b) {
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}
for (const button of document.querySelectorAll("table.sortable th button")) {
  button.addEventListener("click", () => {
    const head = button.parentElement, body = head.closest("table").tBodies[0], at = head.cellIndex;
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const rows = [...body.rows].sort((a, b) => before(worth(a.cells[at]), worth(b.cells[at])) * (up ? 1 : -1));
    body.append(...rows);
  });
}
