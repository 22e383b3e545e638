// Which trials every view shows: by status, specialist, cohort, words and a range that was dragged; kept in one place.

class Filters {
  constructor(c, changed) {
    this.c = c;
    this.changed = changed;
    this.off = new Set();
    this.specialist = null;
    this.cohort = null;
    this.words = "";
    this.range = null;
    this._found = null;
  }

  set(values) {
    Object.assign(this, values);
    this._found = null;
    this.changed();
  }

  get active() {
    return this.off.size > 0 || this.specialist !== null || this.cohort !== null || this.words !== "" || this.range !== null;
  }

  /** Return the places of the trials that are shown, in recording order. */
  found() {
    if (this._found) return this._found;
    const c = this.c;
    const words = this.words.toLowerCase().split(/\s+/).filter(Boolean);
    const found = [];
    for (let at = 0; at < c.n; at++) {
      if (this.off.has(c.status[at])) continue;
      if (this.specialist !== null && c.cell("specialist", at) !== this.specialist) continue;
      if (this.cohort !== null && c.cell("cohort", at) !== this.cohort) continue;
      if (this.range && (at < this.range[0] || at > this.range[1])) continue;
      if (words.length) {
        const text = `${c.label[at]} ${c.cell("specialist", at)} ${c.cell("domain", at)} ${c.cell("hypothesis", at)} ${c.cell("notes", at)}`.toLowerCase();
        if (!words.every((word) => text.includes(word))) continue;
      }
      found.push(at);
    }
    return (this._found = found);
  }

  /** Return the bar with every filter. */
  bar(...more) {
    const c = this.c;
    const counts = new Map();
    for (const status of c.status) counts.set(status, (counts.get(status) || 0) + 1);
    const chips = [...counts].sort((a, b) => b[1] - a[1]).map(([status, count]) =>
      h("button.chip", { type: "button", "aria-pressed": String(!this.off.has(status)), title: `show or hide ${status}`, onclick: () => this._toggle(status) }, badge(status), h("span.soft", count.toLocaleString("en"))),
    );
    const search = h("input", { type: "search", placeholder: "words in hypotheses, notes…", value: this.words, "aria-label": "filter by words", id: "words" });
    let wait = 0;
    search.addEventListener("input", () => {
      clearTimeout(wait);
      wait = setTimeout(() => this.set({ words: search.value }), 150);
    });
    const reset = h("button", { type: "button", onclick: () => this.set({ off: new Set(), specialist: null, cohort: null, words: "", range: null }) }, "all trials");
    const range = this.range && h("button.chip", { type: "button", "aria-pressed": "true", onclick: () => this.set({ range: null }) }, `trials ${this.range[0]}–${this.range[1]}`, " ✕");
    return h("div.filters", chips, this._choice("specialist"), this._choice("cohort"), search, range, this.active && reset, more);
  }

  _toggle(status) {
    const off = new Set(this.off);
    off.has(status) ? off.delete(status) : off.add(status);
    this.set({ off });
  }

  _choice(name) {
    const values = new Set();
    for (let at = 0; at < this.c.n; at++) values.add(this.c.cell(name, at));
    if (values.size < 2) return null;
    const sorted = [...values].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
    const choice = h("select", { "aria-label": name, onchange: () => this.set({ [name]: choice.value === "all" ? null : sorted[Number(choice.value)] }) },
      h("option", { value: "all" }, `every ${name}`), sorted.map((value, at) => h("option", { value: String(at), selected: this[name] === value }, value || `(no ${name})`)));
    return choice;
  }
}
