/* Every table of the page sorts by its headers; a long one has a box that filters its rows. */
const MixlawsTables = (() => {
  const LONG = 12;
  const UNITS = {
    K: 1e3, M: 1e6, B: 1e9, T: 1e12, kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12,
    s: 1, min: 60, h: 3600,
  };
  const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

  /** Return the number that a cell begins with, in its basic unit, or NaN. */
  function numberOf(text) {
    const clean = text.trim().replace(/[−–]/g, "-").replace(/,(?=\d{3})/g, "").replace(/\u00a0/g, " ");
    const found = clean.match(/^([+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*(?:× 10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?\s*([A-Za-z]*)/);
    if (!found) return NaN;
    const [, number, power, unit] = found;
    const digits = (power || "⁰").replace(/[⁰-⁹¹²³]/g, (c) => SUPERSCRIPTS.indexOf(c)).replace("⁻", "-");
    return Number(number) * 10 ** Number(digits) * (UNITS[unit] ?? 1);
  }

  /** Return rows in the order of a column: sums stay last, and so does what is absent. */
  function sorted(rows, column, direction) {
    const keyed = rows.map((row) => {
      const text = row.cells[column] ? row.cells[column].textContent.trim() : "";
      const isSum = /^all( stages)?$/.test(row.cells[0].textContent.trim());
      return { row, text, number: numberOf(text), last: isSum ? 2 : text === "–" || text === "" ? 1 : 0 };
    });
    const numeric = keyed.every((each) => each.last || !Number.isNaN(each.number));
    const compare = numeric
      ? (a, b) => a.number - b.number
      : (a, b) => a.text.localeCompare(b.text, "en", { numeric: true });
    keyed.sort((a, b) => a.last - b.last || (a.last ? 0 : direction * compare(a, b)));
    return keyed.map((each) => each.row);
  }

  const NEXT = { none: "ascending", ascending: "descending", descending: "none" };

  function addSorting(table) {
    const body = table.tBodies[0], original = [...body.rows];
    const headers = [...table.tHead.rows[0].cells];
    headers.forEach((header, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...header.childNodes);
      header.append(button);
      header.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const order = NEXT[header.getAttribute("aria-sort")];
        headers.forEach((each) => each.setAttribute("aria-sort", "none"));
        header.setAttribute("aria-sort", order);
        body.append(...(order === "none" ? original
          : sorted(original, column, order === "ascending" ? 1 : -1)));
      });
    });
  }

  function addFilter(table) {
    const rows = [...table.tBodies[0].rows], frame = table.closest(".scroll") || table;
    const label = document.createElement("label"), input = document.createElement("input");
    const count = document.createElement("span");
    label.className = "filter";
    input.type = "search";
    input.autocomplete = "off";
    count.setAttribute("role", "status");
    label.append("Filter rows ", input);
    const line = document.createElement("div");
    line.className = "filter-line";
    line.append(label, count);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += row.hidden ? 0 : 1;
      }
      count.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
    });
    frame.before(line);
  }

  function enhance(table) {
    if (!table.tHead || !table.tBodies.length || table.tBodies[0].rows.length < 2) return;
    addSorting(table);
    if (table.tBodies[0].rows.length > LONG) addFilter(table);
  }

  return { enhanceAll: () => document.querySelectorAll("table").forEach(enhance), numberOf };
})();
