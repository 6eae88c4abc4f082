/* The two slices through the mixtures, as SVG in the page's colours. */
const MixlawsCharts = (() => {
  const SPACE = "http://www.w3.org/2000/svg";
  const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)}\u00a0%`;

  function svg(name, attributes = {}, ...children) {
    const element = document.createElementNS(SPACE, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  function titled(element, text) {
    element.append(svg("title", {}, text));
    return element;
  }

  function frame(host, width, height, words) {
    const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": words });
    host.replaceChildren(root);
    return root;
  }

  /** Return about `count` round values between two ends. */
  function ticks(low, high, count) {
    const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
    const values = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) values.push(k * step);
    return { values, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
  }

  const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(2)} ${y.toFixed(2)}`).join("");

  const EDGE = { left: 58, right: 14, top: 12, bottom: 62 };

  /** Draw loss over the share of one domain, another taking the rest.
      view: points [{share, value, half, allowed}], here, marks [{share, words, text?}], names, label. */
  function drawPair(host, view) {
    const width = Math.max(host.clientWidth, 260), height = Math.min(340, Math.max(250, 0.6 * width));
    const inner = { width: width - EDGE.left - EDGE.right, height: height - EDGE.top - EDGE.bottom };
    const lows = view.points.map((p) => p.value - p.half), highs = view.points.map((p) => p.value + p.half);
    // The loss of a share near zero can be far above all others: the line then leaves the chart.
    const usual = highs.slice().sort((p, q) => p - q)[Math.floor(0.85 * (highs.length - 1))];
    let low = Math.min(...lows), high = Math.max(usual, view.here.value);
    const margin = 0.05 * (high - low || 0.01);
    low -= margin; high += margin;
    const end = view.points[view.points.length - 1].share || 1;
    const x = (share) => EDGE.left + (inner.width * share) / end;
    const y = (value) => EDGE.top + (inner.height * (high - value)) / (high - low);
    const best = view.points.reduce((a, b) => (b.value < a.value ? b : a));
    const root = frame(host, width, height, `${view.label} from 0 to ${percent(end)} ${view.names[0]}: lowest, `
      + `${best.value.toFixed(3)} nats, at ${percent(best.share, 1)}; here ${view.here.value.toFixed(3)} at ${percent(view.here.share, 1)}.`);
    const axis = svg("g", { class: "axis" });
    const rows = ticks(low, high, 4), columns = ticks(0, 100 * end, width < 420 ? 5 : 8);
    for (const value of rows.values) {
      axis.append(svg("line", { x1: EDGE.left, x2: width - EDGE.right, y1: y(value), y2: y(value) }),
        svg("text", { x: EDGE.left - 8, y: y(value) + 4, "text-anchor": "end" }, value.toFixed(Math.max(rows.digits, 2))));
    }
    const floor = height - EDGE.bottom;
    for (const value of columns.values) {
      axis.append(svg("text", { x: x(value / 100), y: floor + 30, "text-anchor": "middle" }, `${value.toFixed(columns.digits)}\u00a0%`));
    }
    axis.append(svg("line", { class: "base", x1: EDGE.left, x2: width - EDGE.right, y1: floor, y2: floor }),
      svg("text", { x: EDGE.left + inner.width / 2, y: height - 8, "text-anchor": "middle" }, `share of ${view.names[0]}`));
    const upper = view.points.map((p) => [x(p.share), y(p.value + p.half)]);
    const lower = view.points.map((p) => [x(p.share), y(p.value - p.half)]).reverse();
    const clip = svg("clipPath", { id: "explore-clip" }, svg("rect", { x: EDGE.left, y: EDGE.top, width: inner.width, height: inner.height }));
    const lines = svg("g", { "clip-path": "url(#explore-clip)" });
    root.append(clip, axis, lines);
    lines.append(svg("path", { class: "band", d: `${path([...upper, ...lower])}Z` }),
      svg("path", { class: "curve outside", d: path(view.points.map((p) => [x(p.share), y(p.value)])) }));
    const inside = view.points.filter((p) => p.allowed);
    if (inside.length > 1) lines.append(svg("path", { class: "curve", d: path(inside.map((p) => [x(p.share), y(p.value)])) }));
    for (const mark of view.marks) {
      const at = x(mark.share);
      root.append(titled(svg("line", { class: "run", x1: at, x2: at, y1: floor, y2: floor + 4 + 9 * mark.near,
        style: `opacity:${0.35 + 0.65 * mark.near}` }), mark.words));
    }
    root.append(svg("line", { class: "here", x1: x(view.here.share), x2: x(view.here.share), y1: EDGE.top, y2: floor }),
      svg("circle", { class: "here", cx: x(view.here.share), cy: y(view.here.value), r: 5.5 }));
    root.addEventListener("click", (event) => {
      const box = root.getBoundingClientRect();
      const share = ((event.clientX - box.left) * (width / box.width) - EDGE.left) * (end / inner.width);
      view.pick(Math.min(Math.max(share, 0), end));
    });
  }

  const ROWS = 32; // of the triangle's cells
  const HALF = Math.sqrt(3) / 2;

  /** Draw loss over the shares of three domains, the others fixed.
      view: total, value(parts) -> {value, allowed}, here (parts), runs [{parts, words, weight}], names, label. */
  function drawTriangle(host, view) {
    const width = Math.max(Math.min(host.clientWidth, 520), 240), side = width - 48;
    const height = side * HALF + 62;
    const place = ([a, b, c]) => [24 + side * (b + c / 2), 28 + side * HALF * (1 - c)];
    const cells = [];
    for (let i = 0; i < ROWS; i++) {
      for (let j = 0; i + j < ROWS; j++) {
        const k = ROWS - 1 - i - j;
        cells.push([[i + 1, j, k], [i, j + 1, k], [i, j, k + 1]]);
        if (k > 0) cells.push([[i + 1, j + 1, k - 1], [i + 1, j, k], [i, j + 1, k]]);
      }
    }
    const drawn = cells.map((corners) => {
      const parts = [0, 1, 2].map((axis) => corners.reduce((sum, corner) => sum + corner[axis], 0) / (3 * ROWS));
      return { corners: corners.map((corner) => corner.map((count) => count / ROWS)), parts, ...view.value(parts) };
    });
    const pool = drawn.some((cell) => cell.allowed) ? drawn.filter((cell) => cell.allowed) : drawn;
    const best = pool.reduce((a, b) => (b.value < a.value ? b : a));
    const values = pool.map((cell) => cell.value).sort((a, b) => a - b);
    // Corners without a useful domain are so bad that a linear scale would leave no contrast elsewhere.
    const high = values[Math.floor(0.9 * (values.length - 1))];
    const bestWords = view.names.map((name, axis) => `${percent(view.total * best.parts[axis], 1)} ${name}`).join(", ");
    const root = frame(host, width, height, `${view.label} over the shares of ${view.names.join(", ")}: lowest, ${best.value.toFixed(3)} nats, at ${bestWords}.`);
    for (const cell of drawn) {
      const depth = Math.min(Math.max((high - cell.value) / (high - best.value || 1), 0), 1);
      root.append(svg("polygon", { class: cell.allowed ? "cell" : "cell outside", points: cell.corners.map((corner) => place(corner).map((v) => v.toFixed(1)).join(",")).join(" "),
        style: `fill-opacity:${cell.allowed ? (0.03 + 0.85 * depth ** 2).toFixed(3) : 0}` }));
    }
    const corners = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
    root.append(svg("path", { class: "triangle", d: `${path(corners.map(place))}Z` }));
    view.names.forEach((name, axis) => {
      const [cx, cy] = place(corners[axis]);
      root.append(svg("text", { x: axis === 0 ? 2 : axis === 1 ? width - 2 : cx, y: axis === 2 ? cy - 10 : cy + 24,
        "text-anchor": ["start", "end", "middle"][axis] }, name.length > 22 ? `${name.slice(0, 21)}…` : name));
    });
    for (const run of view.runs) {
      const [cx, cy] = place(run.parts);
      root.append(titled(svg("circle", { class: "run", cx, cy, r: 2 + 2.5 * run.weight }), run.words));
    }
    const [bx, by] = place(best.parts);
    root.append(svg("path", { class: "best", d: `M${bx} ${by - 7}l5 7l-5 7l-5 -7Z` }));
    if (view.here) {
      const [cx, cy] = place(view.here);
      root.append(svg("circle", { class: "here", cx, cy, r: 6 }));
    }
    root.addEventListener("click", (event) => {
      const box = root.getBoundingClientRect(), scale = width / box.width;
      const c = 1 - ((event.clientY - box.top) * scale - 28) / (side * HALF);
      const b = ((event.clientX - box.left) * scale - 24) / side - c / 2;
      const parts = [1 - b - c, b, c].map((part) => Math.max(part, 0)), total = parts[0] + parts[1] + parts[2];
      view.pick(parts.map((part) => part / total));
    });
    return { low: best.value, high, words: bestWords };
  }

  return { drawPair, drawTriangle, percent };
})();
