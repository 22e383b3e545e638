// Lineage: where the best came from. First parents make a tree that is drawn root first; the line to the best runs straight
// down at the left, what branched off stands beside it, and what failed without children is a small mark beside its parent.

const BOX = { w: 168, h: 46, gapX: 46, gapY: 40, mark: 13, across: 9, most: 36 };
const WHOLE = 1500;

class Lineage {
  constructor(c, filters) {
    Object.assign(this, { c, filters, closed: new Set(), centre: null, depth: 3, chosen: null, scale: 0 });
  }

  /** Take over what was looked at in the graph before new trials came: places may have moved, names have not. */
  follow(old) {
    const now = (at) => (at === null ? null : (this.c.place.get(old.c.label[at]) ?? null));
    this.centre = now(old.centre);
    this.chosen = now(old.chosen);
    this.closed = new Set([...old.closed].map(now).filter((at) => at !== null));
  }

  /** Show what is around a trial. */
  focus(at) {
    this.centre = at;
    this.chosen = at;
    this.scale = 0;
  }

  view() {
    const c = this.c;
    if (!c.n) return [cards(c), h("p.wait", "There is no trial yet.")];
    this.canvas = h("canvas", { tabIndex: 0, role: "img", id: "graph", "aria-label": "the lineage as a graph; arrow keys move along it, Enter opens a trial, and the list beside it has the line to the best" });
    this.about = h("div");
    const near = this.centre !== null;
    const tools = [
      h("button", { type: "button", "aria-pressed": String(!near), onclick: () => ((this.centre = null), (this.scale = 0), app.render()) }, c.n > WHOLE ? "kept line and what is around it" : "all"),
      c.best >= 0 && h("button", { type: "button", "aria-pressed": String(near), onclick: () => (this.focus(this.chosen ?? c.best), app.render()) }, "around one"),
      near && h("label.row", "steps ", h("input", { type: "range", min: 1, max: 12, value: this.depth, "aria-label": "steps up and down", oninput: (event) => ((this.depth = Number(event.target.value)), (this.scale = 0), this.layout(), this.paint()) })),
    ];
    const line = c.bestLine;
    const side = h("div.panel.side", this.about, line.length ? h("h3", "The line to the best") : null, h("ol.line", line.map((at, i) => this.step(at, line[i - 1]))));
    queueMicrotask(() => this.start());
    return [
      this.filters.bar(h("span.tools", tools)),
      h("div.split",
        h("div",
          h("div.panel.canvas", this.canvas, h("div.tools",
            h("button", { type: "button", title: "fit all", onclick: () => ((this.scale = 0), this.paint()) }, "fit"),
            c.best >= 0 && h("button", { type: "button", title: "go to the best", onclick: () => this.go(c.best) }, "★ best"),
            h("button", { type: "button", title: "closer", onclick: () => this.zoom(1.4) }, "+"),
            h("button", { type: "button", title: "farther", onclick: () => this.zoom(1 / 1.4) }, "−"))),
          h("div.legend", h("span", "★ best, bold: its line"), h("span", "— first parent"), h("span", "– – mate or other parent"), h("span", "··· inspiration"), h("span", "frame: cohort"), h("span", "click: details, double-click: open, click a count: fold"), (this.cut = h("span")))),
        side),
    ];
  }

  step(at, before) {
    const c = this.c;
    const gain = before === undefined || Number.isNaN(c.score[at]) || Number.isNaN(c.score[before]) ? null : c.score[at] - c.score[before];
    const good = gain !== null && c.better(gain, 0);
    return h("li",
      h("span", h("a", { href: link("trial", c.label[at]) }, data(c.label[at])), at === c.best && h("span.gain", " ★")),
      h("span.num", figure(c.score[at]), gain !== null && gain !== 0 && h(`span.${good ? "gain" : "loss"}`, ` ${gain > 0 ? "+" : "−"}${figure(Math.abs(gain))}`)),
      h("span.hyp", { title: c.cell("hypothesis", at) }, data(c.cell("hypothesis", at))));
  }

  /** Return the trials that are drawn. */
  members() {
    const c = this.c;
    const found = this.filters.found();
    if (this.centre !== null) {
      const near = new Map([[this.centre, 0]]);
      for (const next of [(at) => c.parents[at], (at) => c.children[at]]) {
        let front = [this.centre];
        for (let step = 1; step <= this.depth && near.size < 20000; step++) {
          front = front.flatMap(next).filter((at) => !near.has(at) && near.set(at, step));
        }
      }
      const set = new Set(near.keys());
      return this.filters.active ? new Set(found.filter((at) => set.has(at)).concat(this.centre)) : set;
    }
    if (found.length <= WHOLE) return new Set(found);
    const set = new Set();
    const allowed = this.filters.active ? new Set(found) : null;
    const add = (at) => (!allowed || allowed.has(at)) && set.add(at);
    c.bestLine.forEach(add);
    for (const at of c.bestLine) for (const child of c.children[at]) if (set.size < WHOLE) add(child);
    for (const at of [...c.steps].reverse()) if (set.size < WHOLE) c.line(at).forEach(add);
    const kept = found.filter((at) => c.rules.kept.has(c.status[at]));
    for (const at of kept.reverse()) if (set.size < WHOLE) c.line(at).forEach(add);
    return set;
  }

  /** Give every trial its place: chains straight down, the deepest side branches nearest. */
  layout() {
    const c = this.c;
    const members = this.members();
    this.drawn = members.size;
    const order = [...members].sort((a, b) => a - b);
    const up = new Map();
    const down = new Map(order.map((at) => [at, []]));
    for (const at of order) {
      let above = c.parents[at].find((parent) => members.has(parent));
      if (above === undefined && c.parents[at].length) above = this.beyond(at, members);
      if (above !== undefined && above < at) up.set(at, above), down.get(above).push(at);
    }
    const alive = new Set();
    const roots = order.filter((at) => !up.has(at));
    const stack = [...roots];
    while (stack.length) {
      const at = stack.pop();
      alive.add(at);
      if (!this.closed.has(at)) stack.push(...down.get(at));
    }
    const weight = new Map();
    for (let i = order.length - 1; i >= 0; i--) {
      const at = order[i];
      if (!alive.has(at)) continue;
      const below = this.closed.has(at) ? [] : down.get(at);
      weight.set(at, 1 + below.reduce((sum, child) => sum + weight.get(child), 0) + (c.onBest.has(at) ? 1e9 : 0) + (this.centre === at ? 1e6 : 0));
    }
    const given = new Set(order.flatMap((at) => c.parents[at]));
    const isMark = (at) => !c.eligible(at) && !given.has(at) && up.has(at) && at !== this.centre && at !== this.chosen;
    this.nodes = new Map();
    this.marks = [];
    this.hidden = new Map();
    const right = [];
    const chains = roots.sort((a, b) => weight.get(b) - weight.get(a) || a - b).map((at) => [at, 0, -1]).reverse();
    while (chains.length) {
      const [head, from, least] = chains.pop();
      const chain = [];
      let here = head;
      while (here !== undefined) {
        const below = this.closed.has(here) ? [] : down.get(here);
        const marks = below.filter(isMark);
        const rest = below.filter((at) => !isMark(at)).sort((a, b) => weight.get(b) - weight.get(a) || a - b);
        chain.push([here, marks, rest.slice(1)]);
        here = rest[0];
      }
      let x = least;
      for (let row = Math.max(0, from - 1); row < from + chain.length; row++) x = Math.max(x, (right[row] ?? -1) + 1);
      x = Math.max(x, 0);
      chain.forEach(([at, marks], i) => {
        const row = from + i;
        this.nodes.set(at, { at, col: x, row, up: up.get(at), marks: marks.length, hidden: this.closed.has(at) ? this.below(at) : 0 });
        right[row] = Math.max(right[row] ?? -1, x + (marks.length ? (Math.min(marks.length, BOX.across) * BOX.mark + 14) / (BOX.w + BOX.gapX) : 0));
        this.place(at, marks, x, row);
      });
      for (let i = 0; i < chain.length; i++) for (const branch of [...chain[i][2]].reverse()) chains.push([branch, from + i + 1, x + 1]);
    }
    for (const mark of this.marks) this.nodes.set(mark.at, mark);
    this.columns = right.reduce((most, col) => Math.max(most, col ?? 0), 0) + 1;
    this.rows = right.length;
    const left = this.c.n - this.drawn;
    if (this.cut) clear(this.cut, left > 0 ? `${counted(this.drawn, "trial")} of ${this.c.n.toLocaleString("en")} drawn; "around one" shows what is near any other` : counted(this.drawn, "trial"));
  }

  beyond(at, members) {
    let here = this.c.parents[at][0];
    for (let steps = 0; here !== undefined && steps < 10000; steps++) {
      if (members.has(here)) return here;
      here = this.c.parents[here][0];
    }
    return undefined;
  }

  below(at) {
    let count = 0;
    const stack = [...this.c.children[at]];
    const seen = new Set();
    while (stack.length) {
      const here = stack.pop();
      if (seen.has(here)) continue;
      seen.add(here);
      count++;
      stack.push(...this.c.children[here]);
    }
    return count;
  }

  /** Put what failed beside its parent, cohorts together. */
  place(parent, marks, col, row) {
    const c = this.c;
    const sorted = [...marks].sort((a, b) => c.cell("cohort", a).localeCompare(c.cell("cohort", b)) || a - b);
    sorted.slice(0, BOX.most).forEach((at, i) => {
      const [cx, cy] = this.corner(col, row);
      const x = cx + BOX.w + 12 + (i % BOX.across) * BOX.mark;
      const y = cy + 8 + Math.floor(i / BOX.across) * BOX.mark;
      this.marks.push({ at, mark: true, x, y, up: parent, col, row });
    });
    if (sorted.length > BOX.most) this.hidden.set(parent, sorted.length - BOX.most);
  }

  corner(col, row) {
    return [col * (BOX.w + BOX.gapX), row * (BOX.h + BOX.gapY)];
  }

  middle(node) {
    if (node.mark) return [node.x, node.y];
    const [x, y] = this.corner(node.col, node.row);
    return [x + BOX.w / 2, y + BOX.h / 2];
  }

  // -- the picture -------------------------------------------------------------------------------------------------

  start() {
    if (!this.canvas.isConnected) return;
    this.layout();
    this.listen();
    if (this.chosen !== null) this.tell(this.chosen);
    this.paint();
  }

  fit(width, height) {
    const [w, h2] = this.corner(this.columns, this.rows);
    this.scale = Math.max(0.12, Math.min(1.1, (width - 30) / Math.max(w, 1), (height - 30) / Math.max(h2, 1)));
    this.x = Math.max(15, (width - w * this.scale) / 2);
    this.y = 15;
    if (this.scale < 0.45) {
      this.scale = Math.max(this.scale, 0.62);
      this.x = 15;
      const target = this.nodes.get(this.centre ?? -1);
      if (target) this.centreOn(target, width, height);
    }
  }

  centreOn(node, width, height) {
    const [x, y] = this.middle(node);
    this.x = width / 2 - x * this.scale;
    this.y = height / 2 - y * this.scale;
  }

  go(at) {
    const node = this.nodes.get(at);
    if (!node) return this.focus(at), app.render();
    this.chosen = at;
    this.scale = Math.max(this.scale, 0.8);
    this.centreOn(node, this.canvas.clientWidth, this.canvas.clientHeight);
    this.tell(at);
    this.paint();
  }

  zoom(by, at = [this.canvas.clientWidth / 2, this.canvas.clientHeight / 2]) {
    const scale = Math.min(3, Math.max(0.05, this.scale * by));
    this.x = at[0] - ((at[0] - this.x) * scale) / this.scale;
    this.y = at[1] - ((at[1] - this.y) * scale) / this.scale;
    this.scale = scale;
    this.paint();
  }

  print() {
    if (this.canvas?.isConnected) this.paintNow();
  }

  paint() {
    if (this.asked || !this.canvas?.isConnected) return;
    this.asked = true;
    requestAnimationFrame(() => ((this.asked = false), this.canvas.isConnected && this.paintNow()));
  }

  paintNow() {
    const { canvas, c } = this;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!this.scale) this.fit(width, height);
    const ratio = devicePixelRatio;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    const ctx = canvas.getContext("2d");
    const tint = (this.tint = colours());
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, width, height);
    ctx.setTransform(ratio * this.scale, 0, 0, ratio * this.scale, ratio * this.x, ratio * this.y);
    const view = { left: -this.x / this.scale - 250, top: -this.y / this.scale - 120, right: (width - this.x) / this.scale + 50, bottom: (height - this.y) / this.scale + 120 };
    const seen = (x, y) => x > view.left && x < view.right && y > view.top && y < view.bottom;
    const small = this.scale < 0.35;
    this.frames(ctx, tint, seen);
    this.edges(ctx, tint, view);
    for (const node of this.nodes.values()) {
      if (node.mark) {
        if (seen(node.x, node.y)) this.mark(ctx, tint, node);
      } else {
        const [x, y] = this.corner(node.col, node.row);
        if (seen(x, y)) this.box(ctx, tint, node, x, y, small);
      }
    }
    for (const [parent, count] of this.hidden) {
      const node = this.nodes.get(parent);
      const [x, y] = this.corner(node.col, node.row);
      ctx.fillStyle = tint.soft;
      ctx.font = "11px system-ui, sans-serif";
      ctx.textAlign = "left";
      ctx.fillText(`+${count}`, x + BOX.w + 8, y + BOX.h + 16);
    }
  }

  box(ctx, tint, node, x, y, small) {
    const { c } = this;
    const { at } = node;
    const [name, shape] = look(c.status[at]);
    const onLine = c.onBest.has(at);
    ctx.fillStyle = tint.panel;
    ctx.strokeStyle = at === this.chosen ? tint.accent : tint[name];
    ctx.lineWidth = at === this.chosen ? 3.5 : onLine ? 2.5 : 1;
    ctx.beginPath();
    ctx.roundRect(x, y, BOX.w, BOX.h, 7);
    ctx.fill();
    ctx.stroke();
    const path = new Path2D();
    trace(path, shape, x + 13, y + 15, 4);
    ctx.fillStyle = ctx.strokeStyle = tint[name];
    ctx.lineWidth = 1.6;
    FILLED.has(shape) ? ctx.fill(path) : ctx.stroke(path);
    if (small) return;
    ctx.textBaseline = "alphabetic";
    ctx.fillStyle = tint.ink;
    ctx.textAlign = "left";
    ctx.font = `${onLine ? 700 : 600} 13px system-ui, sans-serif`;
    const score = figure(c.score[at]);
    ctx.font = "12px system-ui, sans-serif";
    const taken = ctx.measureText(score).width;
    ctx.textAlign = "right";
    ctx.fillText(score, x + BOX.w - 9, y + 19);
    ctx.textAlign = "left";
    ctx.font = `${onLine ? 700 : 600} 13px system-ui, sans-serif`;
    ctx.fillText(fitted(ctx, (at === c.best ? "★ " : "") + c.label[at], BOX.w - 42 - taken), x + 24, y + 19);
    ctx.font = "11px system-ui, sans-serif";
    ctx.fillStyle = tint.soft;
    ctx.fillText(fitted(ctx, c.cell("hypothesis", at), BOX.w - 18), x + 9, y + 36);
    const count = node.hidden || (c.children[at].length && this.closed.has(at) ? 1 : 0);
    if (count) {
      ctx.fillStyle = tint.accent;
      ctx.font = "600 11px system-ui, sans-serif";
      ctx.fillText(`▸ ${count.toLocaleString("en")} folded`, x + 9, y + BOX.h + 13);
    }
  }

  mark(ctx, tint, node) {
    const [name, shape] = look(this.c.status[node.at]);
    const path = new Path2D();
    trace(path, shape, node.x, node.y, 3.6);
    ctx.fillStyle = ctx.strokeStyle = tint[name];
    ctx.lineWidth = 1.5;
    FILLED.has(shape) ? ctx.fill(path) : ctx.stroke(path);
    if (node.at === this.chosen) {
      ctx.strokeStyle = tint.accent;
      ctx.beginPath();
      ctx.arc(node.x, node.y, 7, 0, 7);
      ctx.stroke();
    }
  }

  /** Draw a frame around the members of a cohort that stand together. */
  frames(ctx, tint, seen) {
    const { c } = this;
    const groups = new Map();
    for (const node of this.nodes.values()) {
      const cohort = c.cell("cohort", node.at);
      if (!cohort) continue;
      const key = node.mark ? `m${node.up} ${cohort}` : `r${node.row} ${cohort}`;
      groups.has(key) ? groups.get(key)[1].push(node) : groups.set(key, [cohort, [node]]);
    }
    ctx.lineWidth = 1;
    ctx.strokeStyle = tint.soft;
    ctx.font = "10px system-ui, sans-serif";
    ctx.textAlign = "left";
    for (const [cohort, nodes] of groups.values()) {
      if (nodes[0].mark) {
        if (nodes.length < 2 || !seen(nodes[0].x, nodes[0].y)) continue;
        ctx.globalAlpha = 0.5;
        for (const line of Map.groupBy ? Map.groupBy(nodes, (node) => node.y).values() : [nodes]) {
          const xs = line.map((node) => node.x);
          ctx.beginPath();
          ctx.roundRect(Math.min(...xs) - 7, line[0].y - 6.5, Math.max(...xs) - Math.min(...xs) + 14, 13, 6);
          ctx.stroke();
        }
        ctx.globalAlpha = 1;
        continue;
      }
      nodes.sort((a, b) => a.col - b.col);
      for (let start = 0, end; start < nodes.length; start = end) {
        end = start + 1;
        while (end < nodes.length && nodes[end].col - nodes[end - 1].col <= 2) end++;
        const [x, y] = this.corner(nodes[start].col, nodes[start].row);
        const [last] = this.corner(nodes[end - 1].col, nodes[start].row);
        if (end - start < 2 || (!seen(x, y) && !seen(last, y))) continue;
        ctx.setLineDash([3, 3]);
        ctx.beginPath();
        ctx.roundRect(x - 7, y - 14, last - x + BOX.w + 14, BOX.h + 21, 9);
        ctx.stroke();
        ctx.setLineDash([]);
        ctx.fillStyle = tint.soft;
        ctx.fillText(fitted(ctx, cohort, BOX.w), x, y - 4);
      }
    }
  }

  edges(ctx, tint, view) {
    const { c } = this;
    const others = [];
    for (const node of this.nodes.values()) {
      if (node.mark) continue;
      const parent = node.up === undefined ? null : this.nodes.get(node.up);
      if (parent) {
        const [x1, y1] = this.middle(node);
        const [x0, y0] = this.middle(parent);
        if (Math.max(y0, y1) < view.top || Math.min(y0, y1) > view.bottom || Math.max(x0, x1) < view.left || Math.min(x0, x1) > view.right) continue;
        const onLine = c.onBest.has(node.at) && c.onBest.has(parent.at);
        ctx.strokeStyle = onLine ? tint.keep : tint.soft;
        ctx.lineWidth = onLine ? 3 : 1;
        ctx.setLineDash(c.parents[node.at].includes(parent.at) ? [] : [1, 4]);
        ctx.beginPath();
        ctx.moveTo(x0, y0 + BOX.h / 2);
        const [top, bottom] = [y0 + BOX.h / 2, y1 - BOX.h / 2];
        const bend = Math.min(top + 12, bottom);
        if (x0 === x1) ctx.lineTo(x1, bottom);
        else ctx.lineTo(x0, bend - 8), ctx.quadraticCurveTo(x0, bend, x0 + 8, bend), ctx.lineTo(x1 - 8, bend), ctx.quadraticCurveTo(x1, bend, x1, bottom);
        ctx.stroke();
      }
      for (const above of c.parents[node.at]) if (above !== node.up && this.nodes.has(above)) others.push([node, this.nodes.get(above), c.role(node.at, above) || "parent"]);
      for (const [name, role] of c.raw.inspired[node.at] || []) if (this.nodes.has(c.place.get(name))) others.push([node, this.nodes.get(c.place.get(name)), role]);
    }
    ctx.lineWidth = 1.4;
    for (const [node, parent, role] of others) {
      const near = node.at === this.chosen || parent.at === this.chosen;
      if (others.length > 400 && !near) continue;
      const [x1, y1] = this.middle(node);
      const [x0, y0] = this.middle(parent);
      ctx.strokeStyle = near ? tint.accent : tint.dq;
      ctx.setLineDash(role === "inspiration" || role === "contrast" ? [2, 4] : [7, 4]);
      ctx.globalAlpha = near ? 1 : 0.7;
      ctx.beginPath();
      ctx.moveTo(x0, y0);
      ctx.bezierCurveTo(x0 + (x1 - x0) * 0.15, y0 + (y1 - y0) * 0.6, x1 - (x1 - x0) * 0.15, y1 - (y1 - y0) * 0.6, x1, y1);
      ctx.stroke();
      ctx.globalAlpha = 1;
      if (near && this.scale > 0.35) {
        ctx.setLineDash([]);
        ctx.fillStyle = tint.accent;
        ctx.font = "600 11px system-ui, sans-serif";
        ctx.textAlign = "center";
        ctx.fillText(role, (x0 + x1) / 2, (y0 + y1) / 2);
      }
    }
    ctx.setLineDash([]);
  }

  // -- the hand ----------------------------------------------------------------------------------------------------

  hit(px, py) {
    const [x, y] = [(px - this.x) / this.scale, (py - this.y) / this.scale];
    for (const node of this.nodes.values()) {
      if (node.mark ? Math.hypot(node.x - x, node.y - y) < 7 : this.inBox(node, x, y)) return node;
    }
    return null;
  }

  inBox(node, x, y) {
    const [left, top] = this.corner(node.col, node.row);
    return x >= left && x <= left + BOX.w && y >= top && y <= top + BOX.h + (node.hidden ? 16 : 0);
  }

  listen() {
    const { canvas } = this;
    const held = new Map();
    let moved = 0;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      held.set(event.pointerId, [event.offsetX, event.offsetY]);
      moved = 0;
    });
    canvas.addEventListener("pointermove", (event) => {
      const now = [event.offsetX, event.offsetY];
      const before = held.get(event.pointerId);
      if (!before) {
        const node = this.hit(...now);
        canvas.style.cursor = node ? "pointer" : "grab";
        node ? tip.show(event, ...summary(this.c, node.at)) : tip.hide();
        return;
      }
      moved += Math.hypot(now[0] - before[0], now[1] - before[1]);
      if (held.size === 2) {
        const other = [...held].find(([id]) => id !== event.pointerId)[1];
        this.zoom(Math.hypot(now[0] - other[0], now[1] - other[1]) / Math.max(1, Math.hypot(before[0] - other[0], before[1] - other[1])), [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2]);
      } else {
        this.x += now[0] - before[0];
        this.y += now[1] - before[1];
        this.paint();
      }
      held.set(event.pointerId, now);
    });
    const up = (event) => {
      held.delete(event.pointerId);
      if (moved < 5 && event.type === "pointerup") this.click(event);
    };
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", up);
    canvas.addEventListener("pointerleave", () => tip.hide());
    canvas.addEventListener("dblclick", (event) => {
      const node = this.hit(event.offsetX, event.offsetY);
      if (node) location.hash = link("trial", this.c.label[node.at]);
    });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 400), [event.offsetX, event.offsetY]);
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
    this.sized?.disconnect();
    this.sized = new ResizeObserver(() => this.paint());
    this.sized.observe(canvas);
  }

  click(event) {
    const node = this.hit(event.offsetX, event.offsetY);
    this.chosen = node ? node.at : null;
    node ? this.tell(node.at) : clear(this.about);
    this.paint();
  }

  toggle(at) {
    this.closed.has(at) ? this.closed.delete(at) : this.closed.add(at);
    this.layout();
    this.tell(at);
    this.paint();
  }

  tell(at) {
    const c = this.c;
    clear(this.about,
      summary(c, at),
      h("div.row", h("a.button", { href: link("trial", c.label[at]) }, "open"), h("button", { type: "button", onclick: () => (this.focus(at), app.render()) }, "what is around it"),
        c.children[at].length > 0 && h("button", { type: "button", onclick: () => this.toggle(at) }, this.closed.has(at) ? "unfold" : `fold its ${counted(c.children[at].length, "child").replace("childs", "children")}`)));
  }

  key(event) {
    const c = this.c;
    const here = this.chosen ?? c.best;
    const node = this.nodes.get(here);
    const beside = (step) => {
      const row = [...this.nodes.values()].filter((each) => node && each.row === node.row && !each.mark).sort((a, b) => a.col - b.col);
      return row[row.indexOf(node) + step]?.at;
    };
    const next = {
      ArrowUp: () => node?.up,
      ArrowDown: () => c.children[here]?.filter((at) => this.nodes.has(at)).sort((a, b) => Number(c.onBest.has(b)) - Number(c.onBest.has(a)))[0],
      ArrowLeft: () => beside(-1),
      ArrowRight: () => beside(1),
    }[event.key];
    if (next) {
      event.preventDefault();
      const at = next();
      if (at !== undefined) this.go(at);
    } else if (event.key === "Enter" && here >= 0) location.hash = link("trial", c.label[here]);
    else if (event.key === " ") event.preventDefault(), this.toggle(here);
  }
}

/** Return as much of a text as a place has room for. */
function fitted(ctx, text, room) {
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, " ").slice(0, 80);
  if (ctx.measureText(line).width <= room) return line;
  let cut = line;
  while (cut.length > 1 && ctx.measureText(`${cut}…`).width > room) cut = cut.slice(0, Math.max(1, cut.length - Math.ceil(cut.length / 12)));
  return `${cut}…`;
}
