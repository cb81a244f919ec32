"use strict";
(() => {
  // nan comes last in either direction
  const number = (text) => ({ inf: Infinity, "-inf": -Infinity })[text] ?? Number.parseFloat(text);
  const compare = (a, b) => {
    if (typeof a === "string") return a.localeCompare(b, undefined, { numeric: true });
    return a < b ? -1 : a > b ? 1 : 0;
  };

  const sortBy = (table, header) => {
    const column = header.cellIndex;
    const isNumber = header.dataset.sort === "number";
    const first = isNumber ? "descending" : "ascending";
    const direction = header.ariaSort ? { ascending: "descending", descending: "ascending" }[header.ariaSort] : first;
    const sign = direction === "ascending" ? 1 : -1;
    const keyed = [...table.tBodies[0].rows].map((row) => {
      const cell = row.cells[column];
      return [isNumber ? number(cell.dataset.value) : cell.textContent.trim(), row];
    });
    keyed.sort(([a], [b]) => {
      const lost = Number.isNaN(a) - Number.isNaN(b);
      return lost || sign * compare(a, b);
    });
    table.tBodies[0].append(...keyed.map(([, row]) => row));
    for (const other of header.parentNode.cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", direction);
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    for (const header of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener("click", () => sortBy(table, header));
    }
  }

  for (const filter of document.querySelectorAll(".filter")) {
    const rows = [...document.getElementById(filter.dataset.table).tBodies[0].rows];
    const text = filter.querySelector("input[type=search]");
    const boxes = [...filter.querySelectorAll("input[type=checkbox]")];
    const count = filter.querySelector(".count");
    const update = () => {
      const wanted = text.value.trim().toLowerCase();
      const verdicts = boxes.filter((box) => box.checked).map((box) => box.value);
      let shown = 0;
      for (const row of rows) {
        const isWanted = !boxes.length || verdicts.includes(row.dataset.verdict);
        row.hidden = !(isWanted && row.textContent.toLowerCase().includes(wanted));
        shown += row.hidden ? 0 : 1;
      }
      count.textContent = `${shown} of ${rows.length} ${filter.dataset.thing} shown`;
    };
    filter.addEventListener("input", update);
    filter.hidden = false;
    update();
  }

  // a link to something that is folded away opens it
  const open = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
    target?.scrollIntoView();
  };
  window.addEventListener("hashchange", open);
  if (location.hash) open();

  const root = document.documentElement;
  const theme = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const name = () => { theme.textContent = isDark() ? "Light colours" : "Dark colours"; };
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    name();
  });
  system.addEventListener("change", name);
  theme.hidden = false;
  name();

  // on paper nothing can be opened
  let folded = [];
  matchMedia("print").addEventListener("change", (print) => {
    if (print.matches) folded = [...document.querySelectorAll("details:not([open])")];
    for (const details of folded) details.open = print.matches;
  });
})();
