"use strict";
(() => {
  const empty = new Set(["", "–", "-"]);

  // What a cell is sorted by: its own key, else the first number of its text, else the text.
  function key(row, column) {
    const cell = row.cells[column];
    if (cell !== undefined && cell.classList.contains("hole")) return null;
    const text = cell === undefined ? "" : cell.textContent.trim();
    if (cell !== undefined && cell.dataset.sort !== undefined) return Number(cell.dataset.sort);
    if (empty.has(text)) return null;
    const number = column === 0 ? null : /^[<>]?\s*([+-]?\d+(\.\d+)?)/.exec(text);
    return number === null ? text : Number(number[1]);
  }

  function compare(one, two) {
    if (typeof one === "number" && typeof two === "number") return one - two;
    return String(one).localeCompare(String(two), undefined, { numeric: true });
  }

  // Rising, falling, then as it was; empty cells last, reference lines below all others.
  function sort(table, heading) {
    const next = { none: "ascending", ascending: "descending", descending: "none" };
    const order = next[heading.getAttribute("aria-sort") || "none"];
    for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
    heading.setAttribute("aria-sort", order);
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => ({ row, key: key(row, heading.cellIndex), at: Number(row.dataset.at) }));
    const last = (item) => (item.row.classList.contains("reference") ? 2 : item.key === null && order !== "none" ? 1 : 0);
    const sign = order === "descending" ? -1 : 1;
    rows.sort((a, b) => last(a) - last(b) || (order === "none" ? 0 : sign * compare(a.key, b.key)) || a.at - b.at);
    body.append(...rows.map((item) => item.row));
  }

  for (const table of document.querySelectorAll("table.sortable, .prose table")) {
    if (!table.tHead || !table.tBodies.length) continue;
    [...table.tBodies[0].rows].forEach((row, at) => { row.dataset.at = String(at); });
    for (const heading of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      const marks = [...heading.querySelectorAll("sup")];
      button.textContent = heading.firstChild === null ? "" : heading.firstChild.textContent;
      heading.replaceChildren(button, ...marks);
      heading.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => sort(table, heading));
    }
  }

  // What stands behind a value: beside it while it is pointed at or focused, within the window.
  const tip = document.getElementById("tip");
  let shown = null;
  function show(event) {
    const value = event.target instanceof Element ? event.target.closest(".tip") : null;
    if (value === null) return hide();
    if (value.title) {
      value.dataset.tip = value.title;
      value.removeAttribute("title");
    }
    hide();
    shown = value;
    tip.textContent = value.dataset.tip;
    tip.hidden = false;
    value.setAttribute("aria-describedby", "tip");
    place();
  }
  function place() {
    if (shown === null) return;
    const box = shown.getBoundingClientRect();
    if (box.bottom < 0 || box.top > innerHeight) return hide();
    const below = box.bottom + tip.offsetHeight + 8 < innerHeight;
    tip.style.left = Math.max(8, Math.min(box.left, innerWidth - tip.offsetWidth - 8)) + "px";
    tip.style.top = (below ? box.bottom + 6 : Math.max(8, box.top - tip.offsetHeight - 6)) + "px";
  }
  function hide() {
    if (shown !== null) shown.removeAttribute("aria-describedby");
    shown = null;
    tip.hidden = true;
  }
  document.addEventListener("pointerover", show);
  document.addEventListener("focusin", show);
  document.addEventListener("focusout", hide);
  addEventListener("scroll", place, true);
  addEventListener("resize", hide);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });

  // A link to a cell opens it, and all that it lies in.
  function open() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target === null) return;
    for (let one = target; one !== null; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
    target.scrollIntoView();
  }
  addEventListener("hashchange", open);
  open();

  // Figures are packed; each becomes an image.
  async function draw(place) {
    if (!("DecompressionStream" in window)) {
      place.textContent = "This browser cannot unpack the figure: " + place.dataset.caption;
      return;
    }
    const packed = Uint8Array.from(atob(place.dataset.svg), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const svg = await new Response(stream).arrayBuffer();
    const image = new Image();
    image.alt = place.dataset.caption;
    image.src = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
    place.replaceChildren(image);
  }
  for (const place of document.querySelectorAll(".picture")) draw(place);

  // On paper all is open but the cells, of which those that were opened are printed.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details.fold:not([open])")];
    for (const one of opened) one.open = true;
  });
  addEventListener("afterprint", () => { for (const one of opened) one.open = false; });
})();
