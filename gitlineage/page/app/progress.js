// Progress: every score over trials or over time, and the staircase of best so far. uPlot has the axes, the zoom and the
// line; points are drawn here, because a hundred thousand of them in five shapes are more than a series is made for.

/** Of more points than this no shapes are drawn: they would lie upon one another. */
const CROWD = 20000;
const WHOLE_STEPS = Array.from({ length: 10 }, (_, at) => [1, 2, 5].map((step) => step * 10 ** at)).flat();
const HUES = ["#1f77b4", "#d95f02", "#1b9e77", "#7570b3", "#e7298a", "#a6761d", "#66a61e", "#666666"];

class Progress {
  constructor(c, filters) {
    Object.assign(this, { c, filters, by: "status", axis: "trial", log: false, wide: false, zoom: null });
  }

  view() {
    const c = this.c;
    const toggle = (name, text, title) =>
      h("button", { type: "button", "aria-pressed": String(this[name]), title, onclick: (event) => (this[name] = !this[name], event.target.setAttribute("aria-pressed", String(this[name])), this.draw()) }, text);
    const pick = (name, values, label) => {
      const select = h("select", { "aria-label": label, onchange: () => ((this[name] = select.value), (this.zoom = null), this.draw()) }, values.map(([value, text]) => h("option", { value, selected: this[name] === value }, text)));
      return select;
    };
    this.box = h("div.plot", { id: "plot" });
    this.said = h("p.note");
    const timed = c.when.some((time) => !Number.isNaN(time));
    const tools = [
      pick("by", [["status", "colour: status"], ["specialist", "colour: specialist"], ["cohort", "colour: cohort"]], "colour points by"),
      timed && pick("axis", [["trial", "over trials"], ["time", "over time"]], "horizontal axis"),
      toggle("log", "log scale", "draw powers of ten equally far apart"),
      toggle("wide", "all scores", "show scores that lie far from the others, too"),
    ];
    queueMicrotask(() => this.draw());
    this.key = h("div.legend");
    return [cards(c), this.filters.bar(h("span.tools", tools)), h("div.panel", this.box, this.key, this.said, h("p.note", "Drag to zoom, double-click to see all again, click a point to open its trial. Whiskers are replicates: mean and one standard deviation."))];
  }

  x(at) {
    return this.axis === "time" ? this.c.when[at] : at;
  }

  /** Return the lowest and highest score to show: all steps after the first, and nearly all others. */
  reach(places, steps) {
    const { score } = this.c;
    const plain = (value) => Number.isFinite(value) && Math.abs(value) < 1e300 && (!this.log || value > 0);
    const own = steps.slice(1).map((at) => score[at]).filter(plain);
    let [least, most] = [-Infinity, Infinity];
    if (!this.wide) {
      const step = Math.ceil(places.length / CROWD); // of very many, some tell where half of them lie
      const sorted = Float64Array.from(places.filter((_, i) => i % step === 0).map((at) => score[at]).filter(plain)).sort();
      const quarter = Math.floor(sorted.length / 4);
      const [first, last] = [sorted[quarter], sorted[sorted.length - 1 - quarter]];
      const far = Math.max(4 * (last - first), own.length ? Math.max(...own) - Math.min(...own) : 0);
      if (sorted.length) [least, most] = [first - far, last + far];
    }
    let [low, high] = [Infinity, -Infinity];
    for (const at of places) {
      const value = score[at];
      if (value < least || value > most || !plain(value)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    if (low > high) return this.log ? [0.1, 1] : [0, 1];
    low = own.reduce((a, b) => Math.min(a, b), low);
    high = own.reduce((a, b) => Math.max(a, b), high);
    if (low === high) return this.log ? [low / 2, high * 2] : [low - (Math.abs(low) / 10 || 1), high + (Math.abs(low) / 10 || 1)];
    const [under, over] = this.c.task.lower ? [this.bare.length ? 0.15 : 0.1, 0.04] : [this.bare.length ? 0.1 : 0.04, 0.1];
    return this.log ? [low * (low / high) ** under, high * (high / low) ** over] : [low - (high - low) * under, high + (high - low) * over];
  }

  print() {
    this.draw();
  }

  draw() {
    const c = this.c;
    this.plot?.destroy();
    if (!this.box?.isConnected) return;
    const placed = this.filters.found().filter((at) => !Number.isNaN(this.x(at)));
    const shown = placed.filter((at) => !Number.isNaN(c.measured(at)));
    this.bare = placed.length - shown.length > CROWD / 10 ? [] : placed.filter((at) => Number.isNaN(c.measured(at)) && c.status[at] !== "retracted");
    const steps = c.steps.filter((at) => !Number.isNaN(this.x(at)));
    this.shown = shown;
    if (!shown.length) {
      clear(this.box, h("p.wait", c.n ? "No trial with a score is shown." : "There is no trial yet."));
      clear(this.said);
      clear(this.key);
      return;
    }
    clear(this.box);
    let [left, right] = [Infinity, -Infinity];
    for (const places of [shown, steps, this.bare])
      for (const at of places) {
        const x = this.x(at);
        if (x < left) left = x;
        if (x > right) right = x;
      }
    const pad = (right - left) * 0.01 || 1;
    const reach = this.reach(shown, steps);
    const xs = [...steps.map((at) => this.x(at)), right + pad];
    const ys = steps.map((at) => c.score[at]);
    ys.push(ys[ys.length - 1]);
    for (let at = 1; at < xs.length; at++) xs[at] = Math.max(xs[at], xs[at - 1]);
    const tint = colours();
    const axis = { stroke: tint.soft, grid: { stroke: tint.line, width: 1 }, ticks: { stroke: tint.line }, font: "12px system-ui, sans-serif" };
    this.plot = new uPlot(
      {
        width: Math.max(this.box.clientWidth, 280),
        height: Math.max(Math.min(innerHeight * 0.55, 560), 260),
        legend: { show: false },
        cursor: { drag: { x: true, y: true, uni: 30 }, points: { show: false } },
        scales: {
          x: { time: this.axis === "time", range: (_, low, high) => (this.zoom ? this.zoom.x : [left - pad, right + pad]) },
          y: { distr: this.log ? 3 : 1, range: () => (this.zoom ? this.zoom.y : reach) },
        },
        axes: [{ ...axis, ...(this.axis === "trial" && { incrs: WHOLE_STEPS }), label: this.axis === "time" ? "time" : "trial, in recording order", labelSize: 22, labelFont: "12px system-ui, sans-serif" }, { ...axis, size: 62, label: c.task.label, labelFont: "12px system-ui, sans-serif", values: (_, splits) => splits.map((value) => (value === null ? "" : figure(value))) }],
        series: [{}, { stroke: tint.keep, width: 2, paths: uPlot.paths.stepped({ align: 1 }), points: { show: false } }],
        hooks: {
          drawAxes: [(u) => this.points(u)],
          setSelect: [(u) => this.select(u)],
          ready: [(u) => this.listen(u)],
        },
      },
      [xs, ys],
      this.box,
    );
    const beyond = shown.filter((at) => c.score[at] < reach[0] || c.score[at] > reach[1]).length;
    this.tell(beyond);
  }

  tell(beyond) {
    const some = this.zoom && this.axis === "trial" ? this.inside() : null;
    clear(this.said, `${counted(this.shown.length, "score")} of ${counted(this.c.n, "trial")}, ${this.c.task.lower ? "lower" : "higher"} is better. `,
      this.bare.length > 0 && `${counted(this.bare.length, "trial")} without one, along the lower edge. `,
      beyond > 0 && h("span", `${counted(beyond, "score")} beyond this range, drawn at its edge. `),
      some && h("a", { href: "#trials", onclick: () => this.filters.set({ range: some }) }, `The trials ${some[0]}–${some[1]} as a table`));
  }

  inside() {
    return [Math.max(0, Math.ceil(this.zoom.x[0])), Math.min(this.c.n - 1, Math.floor(this.zoom.x[1]))];
  }

  select(u) {
    const { left, top, width, height } = u.select;
    if (width < 5 && height < 5) return;
    const x = width < 5 ? [u.scales.x.min, u.scales.x.max] : [u.posToVal(left, "x"), u.posToVal(left + width, "x")];
    const y = height < 5 || height >= u.over.clientHeight ? [u.scales.y.min, u.scales.y.max] : [u.posToVal(top + height, "y"), u.posToVal(top, "y")];
    this.zoom = { x, y };
    queueMicrotask(() => this.draw());
  }

  /** Return how each trial is drawn: a colour and a shape, one object for all that look alike. */
  styles() {
    const { c, by } = this;
    const styles = new Map();
    const hues = new Map();
    const { at: codes } = c.raw.status;
    const known = []; // of statuses alone, by their numbers
    return (at) => {
      if (by === "status" && known[codes[at]]) return known[codes[at]];
      const status = c.status[at];
      const value = by === "status" ? "" : c.cell(by, at);
      let those = styles.get(value);
      if (!those) styles.set(value, (those = new Map()));
      let style = those.get(status);
      if (!style) {
        const [name, shape] = look(status);
        if (!hues.has(value)) hues.set(value, HUES[hues.size % HUES.length]);
        those.set(status, (style = { hue: by === "status" ? this.tint[name] : hues.get(value), shape, value, kept: c.eligible(at), places: [] }));
      }
      if (by === "status") known[codes[at]] = style;
      return style;
    };
  }

  /** Work out where every trial stands on the canvas, and draw it. */
  points(u) {
    const { c, shown } = this;
    const { ctx, bbox: box, scales } = u;
    const ratio = devicePixelRatio;
    this.tint = colours();
    const up = this.log ? Math.log10 : (value) => value;
    const [left, right, low, high] = [scales.x.min, scales.x.max, up(scales.y.min), up(scales.y.max)];
    const [wide, tall] = [box.width / (right - left), box.height / (high - low)];
    const styleOf = this.styles();
    const styles = new Set();
    const crowd = shown.length > CROWD;
    const size = (crowd ? 1 : shown.length > 2000 ? 2.4 : shown.length > 200 ? 3.6 : 5) * ratio;
    this.xs = new Float64Array(c.n).fill(NaN);
    this.ys = new Float64Array(c.n);
    for (const at of shown) {
      const here = this.x(at);
      if (here < left || here > right) continue;
      const score = this.log && c.score[at] <= 0 ? scales.y.min : c.score[at];
      this.xs[at] = box.left + (here - left) * wide;
      this.ys[at] = Math.min(Math.max(box.top + (high - up(score)) * tall, box.top + size), box.top + box.height - size);
      const style = styleOf(at);
      style.places.push(at);
      styles.add(style);
    }
    // what was kept is drawn last, so that nothing hides it
    const order = [...styles].sort((a, b) => a.kept - b.kept);
    ctx.save();
    ctx.beginPath();
    ctx.rect(box.left, box.top, box.width, box.height);
    ctx.clip();
    this.whiskers(u, ratio);
    this.without(ctx, box, left, right, wide, size);
    if (crowd) this.specks(ctx, box, order, Math.round(2 * ratio));
    else {
      ctx.globalAlpha = shown.length > 2000 ? 0.75 : 0.9;
      for (const { hue, shape, places } of order) {
        const path = new Path2D();
        for (const at of places) trace(path, shape, this.xs[at], this.ys[at], size);
        ctx.fillStyle = ctx.strokeStyle = hue;
        ctx.lineWidth = 1.4 * ratio;
        FILLED.has(shape) ? ctx.fill(path) : ctx.stroke(path);
      }
      ctx.globalAlpha = 1;
    }
    this.nameBest(u, ratio);
    ctx.restore();
    this.tellHues(order);
  }

  /** Draw what has no score as small marks along the lower edge: failures, and what waits. */
  without(ctx, box, left, right, wide, size) {
    const { c } = this;
    ctx.globalAlpha = 0.75;
    for (const at of this.bare) {
      const here = this.x(at);
      if (here < left || here > right) continue;
      const [name, shape] = look(c.status[at]);
      [this.xs[at], this.ys[at]] = [box.left + (here - left) * wide, box.top + box.height - size * 1.4];
      const path = new Path2D();
      trace(path, shape, this.xs[at], this.ys[at], size * 0.8);
      ctx.fillStyle = ctx.strokeStyle = this.tint[name];
      ctx.lineWidth = size / 4;
      FILLED.has(shape) ? ctx.fill(path) : ctx.stroke(path);
    }
    ctx.globalAlpha = 1;
  }

  /** Say which colour is whose, where colours are not those of the statuses above. */
  tellHues(styles) {
    const hues = new Map();
    for (const { value, hue, places } of styles) {
      const [, count] = hues.get(value) || [hue, 0];
      hues.set(value, [hue, count + places.length]);
    }
    const dot = (hue) => {
      const sign = h("i.dot");
      sign.style.background = hue;
      return sign;
    };
    const sorted = [...hues].sort(([, [, a]], [, [, b]]) => b - a);
    clear(this.key, this.by !== "status" && [
      sorted.slice(0, HUES.length).map(([value, [hue, count]]) => h("span", dot(hue), data(value || `(no ${this.by})`), ` ${count.toLocaleString("en")}`)),
      sorted.length > HUES.length && h("span", `and ${(sorted.length - HUES.length).toLocaleString("en")} more, in the same colours again`),
    ]);
  }

  /** Draw very many points into one picture, darker where more of them lie: milliseconds where shapes take seconds. */
  specks(ctx, box, styles, side) {
    const [width, height] = [Math.ceil(box.width), Math.ceil(box.height)];
    const picture = new ImageData(width, height);
    const pixels = new Uint32Array(picture.data.buffer);
    for (const { hue, kept, places } of styles) {
      const [red, green, blue] = [1, 3, 5].map((at) => parseInt(hue.slice(at, at + 2), 16));
      const ink = (blue << 16) | (green << 8) | red;
      for (const at of places) {
        const [x, y] = [Math.round(this.xs[at] - box.left), Math.round(this.ys[at] - box.top)];
        for (let row = Math.max(0, y - side + 1); row <= Math.min(height - 1, y); row++)
          for (let col = Math.max(0, x - side + 1); col <= Math.min(width - 1, x); col++) {
            const there = pixels[row * width + col] >>> 24;
            pixels[row * width + col] = (Math.min(255, kept ? 255 : there + 45) << 24) | ink;
          }
      }
    }
    const canvas = h("canvas", { width, height });
    canvas.getContext("2d").putImageData(picture, 0, 0);
    ctx.drawImage(canvas, box.left, box.top);
  }

  /** Put a ring around the best, and its name beside it. */
  nameBest(u, ratio) {
    const { c } = this;
    const { ctx, bbox: box } = u;
    if (c.best >= 0 && !Number.isNaN(c.score[c.best])) {
      const [x, y] = [u.valToPos(this.x(c.best), "x", true), u.valToPos(c.score[c.best], "y", true)];
      ctx.strokeStyle = this.tint.keep;
      ctx.lineWidth = 2 * ratio;
      ctx.beginPath();
      ctx.arc(x, y, 7 * ratio, 0, 7);
      ctx.stroke();
      ctx.fillStyle = this.tint.ink;
      ctx.font = `600 ${12 * ratio}px system-ui, sans-serif`;
      ctx.textAlign = "right";
      const text = fitted(ctx, `best ${c.label[c.best]}: ${figure(c.score[c.best])}`, 260 * ratio);
      const place = [Math.max(x - 12 * ratio, box.left + ctx.measureText(text).width + 6 * ratio), y + (c.task.lower ? 20 : -12) * ratio];
      ctx.strokeStyle = this.tint.panel;
      ctx.lineWidth = 4 * ratio;
      ctx.strokeText(text, ...place);
      ctx.fillText(text, ...place);
    }
  }

  /** Draw the mean and one standard deviation of what was run more than once. */
  whiskers(u, ratio) {
    const { ctx } = u;
    ctx.strokeStyle = this.tint.soft;
    ctx.lineWidth = 1.2 * ratio;
    for (const [first, places] of this.c.runs) {
      const scores = places.map((at) => this.c.measured(at)).filter((score) => !Number.isNaN(score));
      const sigma = spread(scores);
      if (sigma === null || Number.isNaN(this.x(first))) continue;
      const middle = mean(scores);
      const x = u.valToPos(this.x(Number(first)), "x", true);
      const low = this.log ? Math.max(middle - sigma, u.scales.y.min) : middle - sigma;
      const [top, bottom, at] = [middle + sigma, low, middle].map((score) => u.valToPos(score, "y", true));
      const w = 4 * ratio;
      ctx.beginPath();
      ctx.moveTo(x, top), ctx.lineTo(x, bottom);
      for (const y of [top, bottom]) ctx.moveTo(x - w, y), ctx.lineTo(x + w, y);
      ctx.moveTo(x - 2 * w, at), ctx.lineTo(x + 2 * w, at);
      ctx.stroke();
    }
  }

  /** Return the trial nearest to the pointer, -1 for none near. */
  nearest(u, left, top) {
    const ratio = devicePixelRatio;
    const [x, y] = [left * ratio + u.bbox.left, top * ratio + u.bbox.top];
    let best = -1;
    let least = (24 * ratio) ** 2;
    for (const at of [...this.shown, ...this.bare]) {
      const far = (this.xs[at] - x) ** 2 + (this.ys[at] - y) ** 2;
      if (far < least) [least, best] = [far, at];
    }
    return best;
  }

  listen(u) {
    let down = null;
    u.over.addEventListener("mousemove", (event) => {
      const at = this.nearest(u, event.offsetX, event.offsetY);
      u.over.style.cursor = at < 0 ? "crosshair" : "pointer";
      at < 0 ? tip.hide() : tip.show(event, ...summary(this.c, at));
    });
    u.over.addEventListener("mouseleave", () => tip.hide());
    u.over.addEventListener("mousedown", (event) => (down = [event.clientX, event.clientY]));
    u.over.addEventListener("click", (event) => {
      if (down && Math.hypot(event.clientX - down[0], event.clientY - down[1]) > 4) return;
      const at = this.nearest(u, event.offsetX, event.offsetY);
      if (at >= 0) location.hash = link("trial", this.c.label[at]);
    });
    u.over.addEventListener("dblclick", () => ((this.zoom = null), this.draw()));
  }
}

/** Add a status's shape to a path. */
function trace(path, shape, x, y, size) {
  if (shape === "disc" || shape === "ring") path.moveTo(x + size, y), path.arc(x, y, size, 0, 7);
  else if (shape === "square") path.rect(x - size * 0.9, y - size * 0.9, size * 1.8, size * 1.8);
  else if (shape === "diamond") path.moveTo(x, y - size * 1.2), path.lineTo(x + size * 1.2, y), path.lineTo(x, y + size * 1.2), path.lineTo(x - size * 1.2, y), path.closePath();
  else if (shape === "cross") path.moveTo(x - size * 0.8, y - size * 0.8), path.lineTo(x + size * 0.8, y + size * 0.8), path.moveTo(x + size * 0.8, y - size * 0.8), path.lineTo(x - size * 0.8, y + size * 0.8);
  else if (shape === "plus") path.moveTo(x - size, y), path.lineTo(x + size, y), path.moveTo(x, y - size), path.lineTo(x, y + size);
  else path.moveTo(x - size, y), path.lineTo(x + size, y);
}

/** Return what a trial is in a few lines. */
function summary(c, at) {
  const score = Number.isNaN(c.score[at]) ? "" : `${c.task.label} ${c.cell(c.task.field, at)}`;
  return [
    h("div.row", h("b", data(c.label[at])), badge(c.status[at]), h("span", data(score))),
    c.cell("hypothesis", at) && h("div.hyp", data(c.cell("hypothesis", at))),
    h("div.soft", [c.cell("specialist", at), c.cell("cohort", at), c.time(at)].filter(Boolean).map((text, i) => [i ? " · " : "", data(text)])),
  ].filter(Boolean);
}

/** Return the figures at the head of the page. */
function cards(c) {
  const [all] = c.whole ? statistics(c, Array.from({ length: c.n }, (_, at) => at), null) : c.raw.n ? [c.raw.figures] : [];
  const card = (value, text) => h("div.card", h("b", value), h("span", text));
  if (!all) return h("div.cards", card("0", "trials"));
  const better = c.task.lower ? "lower is better" : "higher is better";
  return h("div.cards",
    card(all.best < 0 ? "none" : h("a", { href: link("trial", c.label[all.best]), title: c.label[all.best] }, data(figure(all.score))), h("span", "best ", data(c.task.label), ", ", better)),
    card(all.trials.toLocaleString("en"), c.n > all.trials ? `trials, and ${(c.n - all.trials).toLocaleString("en")} pending or retracted` : "trials"),
    card(`${all.kept.toLocaleString("en")}`, all.rate === null ? "kept" : `kept, ${percent(all.rate)}`),
    card(figure(all.gain) || "0", "gained on the first"),
    card(all.since.toLocaleString("en"), "since the last keep"),
    all.hours !== null && card(all.hours.toLocaleString("en", { maximumFractionDigits: 1 }), "hours"));
}
