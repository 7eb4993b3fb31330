"use strict";
// Sorts a table by the column whose head is clicked. The page can be read without it.
function value(row, column) {
  const cell = row.cells[column];
  return cell.dataset.sort === undefined ? cell.textContent : Number(cell.dataset.sort);
}
function sort(table, column, head) {
  const up = head.getAttribute("aria-sort") === "descending";
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const rows = Array.from(table.tBodies[0].rows);
  rows.sort((a, b) => {
    const [x, y] = [value(a, column), value(b, column)];
    const order = typeof x === "number" && typeof y === "number" ? x - y : -String(x).localeCompare(String(y));
    return up ? order : -order;
  });
  table.tBodies[0].append(...rows);
}
for (const table of document.querySelectorAll("table.sortable")) {
  Array.from(table.tHead.rows[0].cells).forEach((head, column) => {
    head.firstElementChild.addEventListener("click", () => sort(table, column, head));
  });
}
