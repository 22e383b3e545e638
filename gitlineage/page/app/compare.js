// Two trials or two cohorts side by side, with the figures of `gitlineage compare`.

/** Return what a name stands for: a trial with all runs of its content, else a cohort; null for neither. */
function sideOf(name) {
  const { c } = app;
  const at = c.place.get(name);
  if (at !== undefined) return { name, kind: "trial", at, places: c.replicates(at) };
  const members = c.members(name);
  return members.length ? { name, kind: "cohort", at: -1, places: members } : null;
}

function figures(side) {
  const { c } = app;
  const places = side.places.filter((at) => c.counts(at));
  const scored = places.filter((at) => !Number.isNaN(c.measured(at)));
  const scores = scored.map((at) => c.measured(at));
  const best = scored.reduce((top, at) => (top < 0 || c.better(c.score[at], c.score[top]) ? at : top), -1);
  const statuses = new Map();
  places.forEach((at) => statuses.set(c.status[at], (statuses.get(c.status[at]) || 0) + 1));
  return { trials: places.length, scores, best, mean: scores.length ? mean(scores) : null, median: scores.length ? median([...scores].sort((a, b) => a - b)) : null, spread: spread(scores), statuses };
}

function compareView(first, second) {
  const { c } = app;
  const names = [first ?? (c.bestLine.length ? c.label[c.bestLine[0]] : ""), second ?? (c.best >= 0 ? c.label[c.best] : "")];
  const list = h("datalist", { id: "names" }, Object.keys(c.raw.cohorts).map((name) => h("option", { value: name })), c.bestLine.map((at) => h("option", { value: c.label[at] })));
  const inputs = names.map((name, i) => h("input", { type: "text", value: name, list: "names", "aria-label": i ? "second" : "first", id: `side${i}` }));
  const go = () => (location.hash = `#compare/${inputs.map((input) => encodeURIComponent(input.value.trim())).join("/")}`);
  const form = h("form.row", { onsubmit: (event) => (event.preventDefault(), go()) }, inputs[0], "with", inputs[1], h("button", { type: "submit" }, "compare"), h("button", { type: "button", onclick: () => (inputs.reverse(), go()) }, "⇄"), list);
  const sides = names.map(sideOf);
  const head = [h("h2", "Compare"), h("p.note", "Two trials or two cohorts. A trial stands for all runs of its content."), form];
  const unknown = names.filter((name, i) => !sides[i]);
  if (unknown.length) return [...head, h("p.wait", unknown.some(Boolean) ? ["Neither a trial nor a cohort of this page: ", unknown.map((name, i) => [i ? ", " : "", data(name)])] : "Name two.")];
  const [a, b] = sides.map(figures);
  const row = (name, ...cells) => h("tr", h("th", { scope: "row" }, name), cells.map((cell) => h("td", cell)));
  const each = (f) => [f(a), f(b)];
  const table = h("div.scroll", h("table", { id: "sides" }, h("thead", h("tr", h("th"), sides.map((side) => h("th", h("span.soft", `${side.kind} `), side.at >= 0 ? h("a", { href: link("trial", side.name) }, data(side.name)) : data(side.name))))),
    h("tbody",
      row("trials", ...each((side) => String(side.trials))),
      row("with a score", ...each((side) => String(side.scores.length))),
      row(["best ", data(c.task.label)], ...each((side) => (side.best < 0 ? "" : [figure(c.score[side.best]), " ", h("a", { href: link("trial", c.label[side.best]) }, data(c.label[side.best]))]))),
      row("mean", ...each((side) => figure(side.mean))),
      row("median", ...each((side) => figure(side.median))),
      row("spread", ...each((side) => (side.scores.length === 1 ? "one run only" : figure(side.spread)))),
      row("statuses", ...each((side) => [...side.statuses].map(([status, count]) => h("span", badge(status), ` ${count}  `)))))));
  const test = rankTest(a.scores, b.scores, c.task.lower);
  const change = a.mean === null || b.mean === null ? null : b.mean - a.mean;
  const better = change ? (c.better(change, 0) ? names[1] : names[0]) : "";
  const told = change !== null && h("p.lead", { id: "verdict" }, better ? [h("b", data(better)), ` is better by ${figure(Math.abs(change))} in the mean; `] : "equal in the mean; ",
    test ? [data(names[0]), ` wins ${percent(test.share)} of all pairs (rank-sum test, ${test.method}: ${test.p < 0.0001 ? "p < 0.0001" : `p = ${test.p.toFixed(4)}`})`] : `too few scores for a rank test (${a.scores.length} and ${b.scores.length})`);
  return [...head, told, h("div.two", table, distribution(names, [a, b])), only(sides), sides.every((side) => side.at >= 0) ? [h("h3", "Files"), differences(sides[0].at, sides[1].at)] : null];
}

/** Return both sides' scores as points on two lines. */
function distribution(names, sides) {
  const { c } = app;
  const all = sides.flatMap((side) => side.scores);
  if (all.length < 3) return null;
  const canvas = h("canvas", { role: "img", "aria-label": "the scores of both sides on one axis" });
  const box = h("div.panel", h("h3", "Scores"), canvas);
  queueMicrotask(() => {
    const width = Math.max(canvas.parentNode.clientWidth - 32, 200);
    const ratio = devicePixelRatio;
    canvas.width = width * ratio;
    canvas.height = 150 * ratio;
    canvas.style.width = `${width}px`;
    canvas.style.height = "150px";
    const ctx = canvas.getContext("2d");
    ctx.scale(ratio, ratio);
    const tint = colours();
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const x = (score) => 12 + ((score - low) / (high - low || 1)) * (width - 24);
    ctx.font = "12px system-ui, sans-serif";
    sides.forEach((side, i) => {
      const y = 36 + i * 58;
      ctx.strokeStyle = tint.line;
      ctx.beginPath(), ctx.moveTo(8, y), ctx.lineTo(width - 8, y), ctx.stroke();
      ctx.fillStyle = tint.soft;
      ctx.fillText(fitted(ctx, names[i], width / 2), 8, y - 16);
      ctx.fillStyle = i ? tint.accent : tint.discard;
      ctx.globalAlpha = side.scores.length > 200 ? 0.25 : 0.6;
      side.scores.forEach((score, at) => (ctx.beginPath(), ctx.arc(x(score), y + ((at * 7) % 13) - 6, 4, 0, 7), ctx.fill()));
      ctx.globalAlpha = 1;
      ctx.strokeStyle = tint.ink;
      ctx.lineWidth = 2;
      ctx.beginPath(), ctx.moveTo(x(side.mean), y - 11), ctx.lineTo(x(side.mean), y + 11), ctx.stroke();
      ctx.lineWidth = 1;
    });
    ctx.fillStyle = tint.soft;
    ctx.fillText(figure(low), 8, 142);
    ctx.textAlign = "right";
    ctx.fillText(figure(high), width - 8, 142);
  });
  return box;
}

/** Return what one side has and the other has not. */
function only(sides) {
  const { c } = app;
  const rows = [];
  const add = (what, one, other) => {
    const [a, b] = [new Set(one.filter(Boolean)), new Set(other.filter(Boolean))];
    const parts = [[...a].filter((text) => !b.has(text)), [...b].filter((text) => !a.has(text))];
    if (parts[0].length || parts[1].length) rows.push(h("tr", h("th", { scope: "row" }, data(what)), parts.map((texts) => h("td", texts.slice(0, 20).map((text, i) => [i ? ", " : "", data(text)]), texts.length > 20 && ` and ${texts.length - 20} more`))));
  };
  if (sides.every((side) => side.at >= 0)) {
    for (const name of c.columns) if (!["timestamp", "parent_exp", "baseline_exp", "snapshot_path", "job_name", "exp_id"].includes(name)) add(name, ...sides.map((side) => [c.cell(name, side.at)]));
    add("line", ...sides.map((side) => c.line(side.at).slice(0, -1).map((at) => c.label[at])));
  } else {
    for (const name of ["specialist", "domain", "parent"]) add(name, ...sides.map((side) => side.places.map((at) => c.cell(name, at))));
    add("metadata", ...sides.map((side) => Object.entries(c.raw.cohorts[side.name]?.metadata || {}).map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`)));
  }
  return rows.length > 0 && [h("h3", sides.every((side) => side.at >= 0) ? "What differs" : "What only one has"), h("div.scroll", h("table", h("thead", h("tr", h("th"), sides.map((side) => h("th", data(side.name))))), h("tbody", rows)))];
}
