// Trials: a table of all columns, of as many rows as there are; only those in sight are in the page.

const ROW = 32;
const PRINTED = 1000;
const NARROW = { id: 68, status: 118, score: 84, parent: 68, cohort: 96, specialist: 96, hypothesis: 300 };
const WIDTHS = { id: 92, status: 190, score: 110, parent: 92, cohort: 110, specialist: 110, hypothesis: 320, notes: 320, timestamp: 190, commit: 120 };

/** Return how wide a column is, on a phone less. */
const wide = (name) => (innerWidth < 760 && NARROW[name]) || WIDTHS[name] || 120;

class Trials {
  constructor(c, filters) {
    Object.assign(this, { c, filters, by: "#", down: true, on: -1, top: 0 });
    const usual = ["id", "status", "score", "delta_vs_best", "parent", "specialist", "cohort", "hypothesis"];
    this.shown = usual.filter((name) => this.names().includes(name) && (name !== "specialist" && name !== "cohort" && name !== "delta_vs_best" || this.filled(name)));
  }

  names() {
    const own = this.c.columns.filter((name) => name !== this.c.task.field);
    return ["id", "status", "score", "parent", "cohort", ...own, "commit", "writer"];
  }

  filled(name) {
    for (let at = 0; at < this.c.n; at++) if (this.c.cell(name, at)) return true;
    return false;
  }

  text(name, at) {
    return this.c.cell(name === "score" ? this.c.task.field : name, at);
  }

  /** Return the rows in the order that was asked for; those without a value last. */
  rows() {
    const c = this.c;
    const found = [...this.filters.found()];
    if (this.by === "#") return this.down ? found.reverse() : found;
    const keys = new Map(found.map((at) => {
      if (this.by === "score") return [at, Number.isNaN(c.score[at]) ? "" : c.score[at]];
      const text = this.text(this.by, at);
      return [at, this.by === "id" ? text : parsed(text) ?? text];
    }));
    const turn = this.down ? -1 : 1;
    const order = (a, b) => {
      const [x, y] = [keys.get(a), keys.get(b)];
      if (x === "" || y === "") return x === y ? a - b : x === "" ? 1 : -1;
      if (typeof x !== typeof y) return typeof x === "number" ? -1 : 1;
      if (typeof x === "number") return (x - y) * turn || a - b;
      return (x < y ? -1 : x > y ? 1 : 0) * turn || a - b;
    };
    return found.sort(order);
  }

  view() {
    this.found = this.rows();
    this.body = h("tbody");
    this.head = h("thead");
    this.box = h("div.scroll.tall", { id: "table", tabIndex: 0, "aria-label": "trials", onscroll: () => ((this.top = this.box.scrollTop), this.fill()), onkeydown: (event) => this.key(event) }, h("table.virtual", this.head, this.body));
    const tools = [this.chooser(), h("button", { type: "button", onclick: (event) => copy(this.tsv(), event.target) }, "copy as TSV")];
    this.heading();
    queueMicrotask(() => (this.fill(true), (this.box.scrollTop = this.top), this.fill(), this.watch()));
    return [this.filters.bar(tools), this.box, h("p.note", `${counted(this.found.length, "trial")} of ${this.c.n.toLocaleString("en")}. Click a heading to sort, j and k or the arrows to move, Enter to open.`)];
  }

  watch() {
    this.sized?.disconnect();
    this.sized = new ResizeObserver(() => this.fill());
    this.sized.observe(this.box);
  }

  heading() {
    const sign = (name) => (this.by === name ? (this.down ? " ▾" : " ▴") : "");
    const cells = this.shown.map((name) => {
      const cell = h(`th${this.isNumber(name) ? ".num" : ""}`, { scope: "col", "aria-sort": this.by === name ? (this.down ? "descending" : "ascending") : "none" },
        h("button", { type: "button", onclick: () => this.sort(name) }, name === "score" ? data(this.c.task.label) : data(name), sign(name)));
      if (name !== this.shown.at(-1)) cell.style.width = `${wide(name)}px`; // the last one has the rest of the room
      return cell;
    });
    clear(this.head, h("tr", cells));
    this.head.parentNode.style.minWidth = `${this.shown.reduce((sum, name) => sum + wide(name), 0)}px`;
  }

  isNumber(name) {
    return name === "score" || ["delta_vs_best", "train_s", "total_s", "core_metric", "val_bpb"].includes(name);
  }

  sort(name) {
    const best = name === "score" ? !this.c.task.lower : false;
    if (this.by !== name) [this.by, this.down] = [name, best];
    else if (this.down === best) this.down = !best;
    else [this.by, this.down] = ["#", true];
    this.found = this.rows();
    this.heading();
    this.box.scrollTop = 0;
    this.fill(true);
  }

  /** Put as many rows into the page as a person prints. */
  print() {
    const most = Math.min(this.found.length, PRINTED);
    [this.from, this.to] = [0, most];
    clear(this.body, this.found.slice(0, most).map((at, i) => this.line(at, i)));
  }

  /** Put the rows that are in sight into the page. */
  fill(anew = false) {
    const start = Math.max(0, Math.floor(this.box.scrollTop / ROW) - 10);
    const end = Math.min(this.found.length, Math.ceil((this.box.scrollTop + Math.max(this.box.clientHeight, 600)) / ROW) + 10);
    if (!anew && this.from === start && this.to === end) return;
    [this.from, this.to] = [start, end];
    const space = (count) => {
      const cell = h("td", { colSpan: this.shown.length });
      cell.style.height = `${count * ROW}px`;
      return h("tr.spacer", cell);
    };
    clear(this.body, start > 0 && space(start), this.found.slice(start, end).map((at, i) => this.line(at, start + i)), end < this.found.length && space(this.found.length - end));
  }

  line(at, place) {
    return h(`tr${place === this.on ? ".on" : ""}`, { "aria-rowindex": place + 2, ondblclick: () => (location.hash = link("trial", this.c.label[at])) },
      this.shown.map((name) => {
        if (name === "id") return h("td", h("a", { href: link("trial", this.c.label[at]) }, data(this.c.label[at])), at === this.c.best && h("span.gain", { title: "the best" }, " ★"));
        if (name === "status") return h("td", badge(this.c.status[at]), this.c.changed(at) && h("span.loss", { title: `changed while it ran: ${this.c.changed(at)}` }, " ✎"));
        if (name === "commit") return h("td.mono", this.text(name, at).slice(0, 10));
        const text = this.text(name, at);
        return h(`td${this.isNumber(name) ? ".num" : ".text"}`, { title: text.length > 30 ? text : "" }, data(text));
      }));
  }

  key(event) {
    const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      this.on = Math.min(Math.max(this.on + step, 0), this.found.length - 1);
      const top = this.on * ROW;
      if (top < this.box.scrollTop) this.box.scrollTop = top;
      if (top + 3 * ROW > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = top + 3 * ROW - this.box.clientHeight;
      this.fill(true);
    } else if (event.key === "Enter" && this.on >= 0 && event.target === this.box) location.hash = link("trial", this.c.label[this.found[this.on]]);
  }

  chooser() {
    const menu = h("div.panel.menu", { hidden: true }, this.names().map((name) => {
      const box = h("input", { type: "checkbox", checked: this.shown.includes(name), onchange: () => {
        const names = this.names();
        this.shown = names.filter((each) => (each === name ? box.checked : this.shown.includes(each)));
        this.heading();
        this.fill(true);
      } });
      return h("label", box, data(name === "score" ? this.c.task.field : name));
    }));
    const button = h("button", { type: "button", "aria-expanded": "false", onclick: () => {
      menu.hidden = !menu.hidden;
      const isRight = button.getBoundingClientRect().left > innerWidth / 2;
      [menu.style.left, menu.style.right] = isRight ? ["auto", "0"] : ["0", "auto"];
      button.setAttribute("aria-expanded", String(!menu.hidden));
    } }, "columns ▾");
    const box = h("div.columns", { onkeydown: (event) => event.key === "Escape" && !menu.hidden && button.click() }, button, menu);
    document.addEventListener("pointerdown", (event) => !menu.hidden && !box.contains(event.target) && button.click());
    return box;
  }

  /** Return what is shown as tab-separated text; signs that would end a cell become spaces. */
  tsv() {
    const plain = (text) => text.replace(/[\t\n\r]+/g, " ");
    const head = this.shown.map((name) => plain(name === "score" ? this.c.task.field : name)).join("\t");
    return [head, ...this.found.map((at) => this.shown.map((name) => plain(this.text(name, at))).join("\t"))].join("\n") + "\n";
  }
}
