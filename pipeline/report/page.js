"use strict";
// Follows one language through all pictures and tables, and sorts tables. The page can be read without it.
const follow = document.getElementById("follow");
function show(lang) {
  document.body.classList.toggle("following", lang !== "");
  for (const part of document.querySelectorAll("[data-lang]")) {
    part.classList.toggle("followed", lang !== "" && part.dataset.lang === lang);
  }
  follow.value = lang;
}
follow.addEventListener("change", () => show(follow.value));
document.querySelector("main").addEventListener("click", (event) => {
  const row = event.target.closest("g[data-lang]");
  if (row) show(row.classList.contains("followed") ? "" : row.dataset.lang);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") show("");
});

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
