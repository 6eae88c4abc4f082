/* The explorer: sliders in, predicted losses with intervals out. */
const startExplorer = () => {
  const element = (id) => document.getElementById(`explore-${id}`);
  const source = element("data");
  if (!source) return;

  const data = JSON.parse(source.textContent), model = new MixlawsCore.Model(data);
  const K = data.domains.length, V = data.validation_domains.length;
  const levelWords = `${Math.round(100 * data.level)}\u00a0%`;
  const byName = new Map(data.mixtures.map((each) => [each.name, each]));
  const state = { shares: byName.get("optimum").shares.slice(), target: model.targetAt(data.target.num_params, data.target.tokens) };
  let moving = null; // the share that moves, and the mixture it moved from

  /* Words. */

  const { percent } = MixlawsCharts;
  const loss = (value) => value.toFixed(3);
  const signed = (value) => {
    const text = Math.abs(value).toFixed(3);
    return text === "0.000" ? text : `${value < 0 ? "−" : "+"}${text}`;
  };
  const count = (value) => {
    const [unit, letter] = [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "K"], [1, ""]].find(([size]) => value >= 0.9995 * size) || [1, ""];
    return `${Number((value / unit).toPrecision(3))}${letter}`;
  };

  /** Return an element with attributes and children; `on` holds its listeners. */
  function make(name, { on = {}, ...attributes } = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    for (const [event, listener] of Object.entries(on)) made.addEventListener(event, listener);
    made.append(...children);
    return made;
  }

  function fill(select, groups, value) {
    for (const [label, options] of Object.entries(groups)) {
      const made = options.map(([key, words]) => make("option", { value: key }, words));
      if (!made.length) continue;
      select.append(...(label ? [make("optgroup", { label }, ...made)] : made));
    }
    select.value = value;
  }

  /* Shares. */

  function setMixture(name) {
    state.shares = byName.get(name).shares.slice();
    moving = null;
    element("set").value = name;
    render();
  }

  function move(index, value) {
    if (!moving || moving.index !== index) moving = { index, from: state.shares };
    state.shares = MixlawsCore.moveShare(moving.from, index, value, data.limits);
    element("set").value = "";
    render();
  }

  const sliders = data.domains.map((domain, j) => {
    const id = `explore-share-${j}`;
    const range = make("input", { id, type: "range", min: 0, max: 100, step: 0.5, on: {
      input: () => move(j, range.valueAsNumber / 100),
    } });
    const number = make("input", { type: "number", min: 0, max: 100, step: 0.1, "aria-label": `${domain}, share in percent`, on: {
      change: () => { if (!Number.isNaN(number.valueAsNumber)) { moving = null; move(j, number.valueAsNumber / 100); } else render(); },
    } });
    element("shares").append(make("div", { class: "slider" }, make("label", { for: id }, domain), range, make("span", { class: "unit" }, number, "%")));
    return { range, number };
  });

  function showShares() {
    sliders.forEach(({ range, number }, j) => {
      const text = (100 * state.shares[j]).toFixed(1);
      range.value = 100 * state.shares[j];
      range.setAttribute("aria-valuetext", `${text} percent`);
      number.value = text;
    });
    const { lower, upper, groups } = data.limits, parts = [];
    data.domains.forEach((domain, j) => {
      if (lower[j] > 0 || upper[j] < 1) parts.push(`${domain} ${percent(lower[j], 1)} to ${percent(upper[j], 1)}`);
    });
    groups.forEach((group) => parts.push(`${group.name} together ${percent(group.lower, 1)} to ${percent(group.upper, 1)}`));
    const outside = MixlawsCore.allowed(state.shares, data.limits) ? "" : "This mixture is outside the limits of the experiment. ";
    element("limits").textContent = parts.length ? `${outside}Limits: ${parts.join("; ")}.` : "";
  }

  /* Target. */

  const FARTHEST = 1000; // times what the proxies reached; no public swarm was carried farther
  const CONTINUOUS = 400; // steps of a slider along a logarithm

  function axisOf(key) {
    if (data.grid) {
      const values = data.grid[key];
      return { max: values.length - 1, place: (value) => values.indexOf(value), value: (place) => values[place] };
    }
    const [low, high] = data.range[key].map(Math.log), home = data.target[key], step = (high - low) / CONTINUOUS;
    return {
      max: CONTINUOUS,
      place: (value) => Math.round((Math.log(value) - low) / step),
      value: (place) => (place === Math.round((Math.log(home) - low) / step) ? home : Math.exp(low + place * step)),
    };
  }

  const targets = [["num_params", "parameters N"], ["tokens", "tokens D"]].map(([key, words]) => {
    const axis = axisOf(key), id = `explore-${key}`, output = make("output", { for: id });
    const range = make("input", { id, type: "range", min: 0, max: axis.max, step: 1, on: {
      input: () => {
        const next = { ...state.target, [key]: axis.value(range.valueAsNumber) };
        state.target = model.targetAt(next.num_params, next.tokens);
        render();
      },
    } });
    if (axis.max === 0) range.disabled = true;
    element("target").append(make("div", { class: "slider" }, make("label", { for: id }, words), range, output));
    return { key, axis, range, output };
  });
  const homeButton = make("button", { type: "button", on: { click: () => {
    state.target = model.targetAt(data.target.num_params, data.target.tokens);
    render();
  } } }, "The experiment's target");
  element("target").append(make("div", { class: "buttons" }, homeButton));

  function showTarget() {
    for (const { key, axis, range, output } of targets) {
      const text = count(state.target[key]);
      range.value = axis.place(state.target[key]);
      range.setAttribute("aria-valuetext", text);
      output.textContent = text;
    }
    const reach = data.uncertainty.reach, far = [];
    const factors = [[state.target.num_params / reach.num_params, "the largest proxy"], [state.target.tokens / reach.tokens, "the tokens of its runs"]];
    for (const [factor, what] of factors) if (factor > 1.01) far.push(`${Number(factor.toPrecision(3))} times ${what}`);
    const parts = [far.length ? `The law is extrapolated to ${far.join(" and ")}.` : "The law is not extrapolated in size or tokens."];
    if (data.grid) parts.push(`It was fitted at ${data.grid.num_params.length} × ${data.grid.tokens.length} targets.`);
    if (!model.isHome(state.target)) parts.push("The optimum and the limits are still those of the experiment's target.");
    element("target-note").textContent = parts.join(" ");
    homeButton.disabled = model.isHome(state.target);
  }

  /* Losses. */

  const rows = [...data.validation_domains, "overall"].map((name, i) => {
    const cells = {
      value: make("td", { class: "number" }), difference: make("td", { class: "number" }), whisker: make("td"),
      level: make("td", { class: "number" }), refits: make("td", { class: "number" }),
    };
    const share = i < V && data.weights[i] > 0 ? ` (${percent(data.weights[i])})` : "";
    element("rows").append(make("tr", i === V ? { class: "overall" } : {}, make("th", { scope: "row" }, `${name}${share}`), ...Object.values(cells)));
    return cells;
  });
  const heads = ["loss (weight)", "nats", "difference", "", `${levelWords} interval`, "refits"].map((words, i) => (
    words ? make("th", { scope: "col", ...(i ? { class: "number" } : {}) }, words) : make("td")));
  element("head").append(...heads);

  function whisker(value, half, scale) {
    const SVG = "http://www.w3.org/2000/svg", root = document.createElementNS(SVG, "svg");
    root.setAttribute("class", "whisker");
    root.setAttribute("viewBox", "0 0 104 16");
    root.setAttribute("aria-hidden", "true");
    const x = (number) => 52 + (48 * number) / scale;
    const draw = (name, attributes) => {
      const part = document.createElementNS(SVG, name);
      for (const [key, each] of Object.entries(attributes)) part.setAttribute(key, each);
      root.append(part);
    };
    draw("line", { class: "zero", x1: 52, x2: 52, y1: 0, y2: 16 });
    draw("line", { class: "line", x1: x(value - half), x2: x(value + half), y1: 8, y2: 8 });
    draw("circle", { class: "dot", cx: x(value), cy: 8, r: 3.5 });
    return root;
  }

  function against() { return byName.get(element("against").value); }

  /** Return everything that is shown of the mixture at the target. */
  function evaluate() {
    const { shares, target } = state, other = against().shares;
    const losses = model.predict(shares, target), reference = model.predict(other, target);
    const draws = model.predictDraws(shares, target), otherDraws = model.predictDraws(other, target);
    return {
      losses,
      half: model.intervals.ofLosses(shares, target),
      difference: losses.map((value, i) => value - reference[i]),
      differenceHalf: model.intervals.ofDifferences(shares, other, target),
      refits: model.refits(shares, target),
      better: draws.filter((draw, b) => draw[V] < otherDraws[b][V]).length,
      draws: draws.length,
    };
  }

  function showLosses(found) {
    const scale = Math.max(1e-4, ...found.difference.map((value, i) => Math.abs(value) + found.differenceHalf[i]));
    rows.forEach((cells, i) => {
      const value = found.losses[i], half = found.half[i], difference = found.difference[i], spread = found.differenceHalf[i];
      cells.value.textContent = loss(value);
      cells.level.textContent = `${loss(value - half)}–${loss(value + half)}`;
      cells.refits.textContent = found.refits ? `${loss(found.refits[i][0])}–${loss(found.refits[i][1])}` : "none";
      const same = spread < 1e-9 && Math.abs(difference) < 1e-9;
      cells.difference.textContent = same ? "same" : `${signed(difference)} ± ${loss(spread)}`;
      cells.difference.className = `number${difference + spread < 0 ? " better" : difference - spread > 0 ? " worse" : ""}`;
      cells.whisker.replaceChildren(...(same ? [] : [whisker(difference, spread, scale)]));
    });
    element("caption").textContent = `Nats per token for ${count(state.target.num_params)} parameters and ${count(state.target.tokens)} tokens; difference from ${against().label}.`;
    const refits = found.refits
      ? `Refits: where ${levelWords} of ${found.draws} refits of the law to resampled mixtures lie; they know nothing of what the law itself gets wrong. `
      : "The refits are of the experiment's target only. ";
    element("intervals").textContent = `Interval: of the expected loss, with what the law missed on forward folds. ${refits}Difference: this mixture minus the other with half its ${levelWords} interval; below 0 is better.`;
  }

  function statusWords(found) {
    const value = found.losses[V], half = found.half[V], difference = found.difference[V], spread = found.differenceHalf[V];
    const head = `Predicted overall loss: ${loss(value)} nats per token (${levelWords} interval ${loss(value - half)} to ${loss(value + half)}).`;
    const label = against().label === "optimum" ? "the optimum" : against().label;
    if (spread < 1e-9 && Math.abs(difference) < 1e-9) return [`${head} This is ${label}.`, ""];
    const ends = `${signed(difference - spread)} to ${signed(difference + spread)}`;
    const [verdict, tone] = difference + spread < 0 ? ["better than", "good"] : difference - spread > 0 ? ["worse than", "caution"] : ["not distinguishable from", ""];
    const refits = found.draws ? ` Better in ${found.better} of ${found.draws} refits.` : "";
    return [`${head} ${verdict[0].toUpperCase()}${verdict.slice(1)} ${label}: ${signed(difference)} nats (${ends}).${refits}`, tone];
  }

  /* Slices. */

  const mixtureWords = (run, place) => `${run.name}: ${loss(run.losses[place])} nats at size ${data.runs.size}`;
  const selected = (id) => Number(element(id).value);

  function showPair() {
    const a = selected("pair-a"), b = selected("pair-b"), place = selected("loss");
    const { shares, target } = state, total = shares[a] + shares[b];
    const at = (share) => { const moved = shares.slice(); moved[a] = share; moved[b] = total - share; return moved; };
    const host = element("pair");
    if (total < 1e-6) { host.replaceChildren(make("p", {}, "Both shares are zero: give one of them a share first.")); return; }
    const parts = Array.from({ length: 65 }, (_, k) => (total * (1 - Math.cos((Math.PI * k) / 64))) / 2);
    const points = [...parts, shares[a]].sort((p, q) => p - q).map((share) => ({
      share, value: model.lossAt(place, at(share), target),
      half: model.intervals.ofDifferences(at(share), shares, target)[place], allowed: MixlawsCore.allowed(at(share), data.limits) }));
    const marks = data.runs.mixtures.filter((run) => run.shares[a] + run.shares[b] > 0).map((run) => {
      const share = (total * run.shares[a]) / (run.shares[a] + run.shares[b]);
      const moved = at(share), apart = moved.reduce((sum, value, j) => sum + Math.abs(value - run.shares[j]), 0) / 2;
      return { share, near: Math.max(0, 1 - 2 * apart), words: mixtureWords(run, place) };
    });
    const label = place === V ? "Overall loss" : `Loss of ${data.validation_domains[place]}`;
    MixlawsCharts.drawPair(host, { points, marks, label, names: [data.domains[a], data.domains[b]],
      here: { share: shares[a], value: model.lossAt(place, shares, target) },
      pick: (share) => take(at(share)) });
  }

  function showTriangle() {
    if (K < 3) return;
    const axes = ["tri-a", "tri-b", "tri-c"].map(selected), place = selected("loss"), { shares, target } = state;
    const total = axes.reduce((sum, j) => sum + shares[j], 0), host = element("triangle"), note = element("triangle-note");
    const at = (parts) => { const moved = shares.slice(); axes.forEach((j, k) => { moved[j] = total * parts[k]; }); return moved; };
    if (total < 1e-6) { host.replaceChildren(); note.textContent = "All three shares are zero: give one of them a share first."; return; }
    const partsOf = (mixture) => { const sum = axes.reduce((all, j) => all + mixture[j], 0); return { sum, parts: axes.map((j) => mixture[j] / sum) }; };
    const runs = data.runs.mixtures.map((run) => ({ run, ...partsOf(run.shares) })).filter((each) => each.sum > 1e-6)
      .map(({ run, sum, parts }) => ({ parts, weight: Math.min(sum / total, 1), words: mixtureWords(run, place) }));
    const label = place === V ? "Overall loss" : `Loss of ${data.validation_domains[place]}`;
    const shown = MixlawsCharts.drawTriangle(host, { total, label, runs, names: axes.map((j) => data.domains[j]), here: partsOf(shares).parts,
      value: (parts) => ({ value: model.lossAt(place, at(parts), target), allowed: MixlawsCore.allowed(at(parts), data.limits) }),
      pick: (parts) => take(at(parts)) });
    note.textContent = `${label}: the stronger the colour the lower, from ${loss(shown.low)} (diamond: ${shown.words}) to ${loss(shown.high)} nats and above. Ring: your mixture. Small circles: trained mixtures, smaller where these three have less of them. A click moves your mixture.`;
  }

  /** Take a mixture that was clicked, if it is allowed. */
  function take(shares) {
    if (!MixlawsCore.allowed(shares, data.limits)) return;
    state.shares = shares;
    moving = null;
    element("set").value = "";
    render();
  }

  /* Recipe. */

  function recipe(format) {
    const shares = MixlawsCore.roundShares(state.shares);
    const target = { num_params: state.target.num_params, tokens: state.target.tokens };
    if (format === "json") {
      const proportions = Object.fromEntries(data.domains.map((domain, j) => [domain, shares[j]]));
      return `${JSON.stringify({ experiment: data.experiment, unit: "share of training tokens", proportions, target }, null, 2)}\n`;
    }
    const lines = data.domains.map((domain, j) => `  ${JSON.stringify(domain)}: ${shares[j].toFixed(6)}`);
    return `# ${data.experiment.replace(/\s+/g, " ")}: shares of training tokens\nproportions:\n${lines.join("\n")}\n`;
  }

  async function copy(format) {
    const text = recipe(format), area = element("text");
    try {
      await navigator.clipboard.writeText(text);
      element("copied").textContent = `Copied as ${format.toUpperCase()}.`;
      area.hidden = element("text-label").hidden = true;
    } catch {
      area.value = text;
      area.hidden = element("text-label").hidden = false;
      area.focus();
      area.select();
      element("copied").textContent = "The browser did not allow copying: the text is selected below.";
    }
  }

  /* Together. */

  let charts = 0, spoken = 0;

  /** Return why nothing can be said at the target, or an empty text. */
  function silence() {
    const { reach } = data.uncertainty, { target } = state;
    const factor = Math.max(target.num_params / reach.num_params, target.tokens / reach.tokens);
    if (factor > FARTHEST) return `No loss is stated: this target is ${Number(factor.toPrecision(2)).toLocaleString("en")} times what the proxies reached, and nothing measured how errors grow that far.`;
    return model.lawsAt(target) ? "" : "No law could be fitted at this target. Choose another.";
  }

  function showNothing() {
    for (const cells of rows) for (const [name, cell] of Object.entries(cells)) cell.replaceChildren(name === "whisker" ? "" : "–");
    for (const id of ["pair", "triangle", "triangle-note", "intervals", "caption"]) element(id).replaceChildren();
  }

  function render() {
    showShares();
    showTarget();
    const why = silence(), status = element("status");
    const found = why ? null : evaluate();
    const [words, tone] = found ? statusWords(found) : [why, "caution"];
    status.textContent = words;
    status.className = `verdict ${tone}`;
    element("copied").textContent = "";
    clearTimeout(charts);
    if (found) {
      showLosses(found);
      charts = setTimeout(() => { showPair(); showTriangle(); }, 40);
    } else {
      showNothing();
    }
    clearTimeout(spoken);
    spoken = setTimeout(() => { element("live").textContent = words; }, 600);
  }

  function start() {
    const named = (kind) => data.mixtures.filter((each) => each.kind === kind).map((each) => [each.name, each.label]);
    fill(element("set"), { "": [["", "your mixture"]], Compared: named("compared"), Trained: named("trained") }, "optimum");
    fill(element("against"), { "": named("compared") }, "optimum");
    element("set").addEventListener("change", () => { if (element("set").value) setMixture(element("set").value); });
    const presets = { optimum: "Optimum", uniform: "Uniform", natural: "Natural", best_observed: "Best observed" };
    for (const [name] of named("compared")) {
      element("presets").append(make("button", { type: "button", on: { click: () => setMixture(name) } }, presets[name] ?? name));
    }
    const domains = data.domains.map((domain, j) => [String(j), domain]);
    const largest = data.domains.map((_, j) => j).sort((p, q) => state.shares[q] - state.shares[p]);
    ["pair-a", "pair-b"].forEach((id, k) => fill(element(id), { "": domains }, String(largest[k])));
    fill(element("loss"), { "": [[String(V), "overall"], ...data.validation_domains.map((name, i) => [String(i), name])] }, String(V));
    if (K < 3) element("triangle-card").hidden = true;
    else ["tri-a", "tri-b", "tri-c"].forEach((id, k) => fill(element(id), { "": domains }, String(largest[k])));
    exclude(["pair-a", "pair-b"]);
    exclude(["tri-a", "tri-b", "tri-c"]);
    element("loss").addEventListener("change", render);
    element("against").addEventListener("change", render);
    element("json").addEventListener("click", () => copy("json"));
    element("yaml").addEventListener("click", () => copy("yaml"));
    document.getElementById("explore").hidden = false;
    const links = document.querySelector('nav[aria-label="Sections"] ul');
    if (links) links.prepend(make("li", {}, make("a", { href: "#explore-title" }, "Explore other mixtures")));
    let width = 0;
    new ResizeObserver(([entry]) => { if (Math.abs(entry.contentRect.width - width) > 2) { width = entry.contentRect.width; render(); } }).observe(element("pair"));
    render();
  }

  /** Keep the selects of one chart on different domains: the one that is chosen again swaps. */
  function exclude(ids) {
    const before = ids.map(selected);
    ids.forEach((id, k) => element(id).addEventListener("change", () => {
      const chosen = selected(id), twin = ids.findIndex((_, n) => n !== k && before[n] === chosen);
      if (twin >= 0) element(ids[twin]).value = String(before[k]);
      ids.forEach((each, n) => { before[n] = selected(each); });
      render();
    }));
  }

  start();
  globalThis.mixlaws = { model, state, data, evaluate };
};

// The page is painted first.
requestAnimationFrame(() => setTimeout(() => {
  MixlawsTables.enhanceAll();
  startExplorer();
}));
