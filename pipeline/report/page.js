// Follows one language through all pictures and tables. The page can be read without it.
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
