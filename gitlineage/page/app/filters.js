// Which trials every view shows: by status, specialist, cohort, words and a range that was dragged; kept in one place.

/** Of more values than this a menu would be longer than anybody reads. */
const MENU = 200;

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

  /** Look anew at which trials are shown: there are texts now that were not there. */
  forget() {
    this._found = null;
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
    const { of, at } = c.raw.status;
    const counts = new Array(of.length).fill(0);
    for (const place of at) counts[place]++;
    const chips = of.map((status, place) => [status, counts[place]]).filter(([, count]) => count).map(([status, count]) =>
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
    return h("div.filters", h("span.chips", chips), this._choice("specialist"), this._choice("cohort"), search, range, this.active && reset, more);
  }

  _toggle(status) {
    const off = new Set(this.off);
    off.has(status) ? off.delete(status) : off.add(status);
    this.set({ off });
  }

  /** Return a choice among a column's values; of very many by a name that is typed. */
  _choice(name) {
    const values = this.c.values(name);
    if (values.size < 2) return null;
    const { compare } = new Intl.Collator("en", { numeric: true });
    const sorted = () => [...values].sort(compare);
    if (values.size > MENU) {
      const list = h("datalist", { id: `all-${name}` });
      const input = h("input", { type: "search", list: list.id, value: this[name] ?? "", placeholder: `every ${name} (${values.size.toLocaleString("en")})`, "aria-label": name });
      input.addEventListener("focus", () => list.children.length || list.append(...sorted().map((value) => h("option", { value }))));
      input.addEventListener("change", () => this.set({ [name]: values.has(input.value) && input.value !== "" ? input.value : null }));
      return h("span", input, list);
    }
    const known = sorted();
    const choice = h("select", { "aria-label": name, onchange: () => this.set({ [name]: choice.value === "all" ? null : known[Number(choice.value)] }) },
      h("option", { value: "all" }, `every ${name}`), known.map((value, at) => h("option", { value: String(at), selected: this[name] === value }, value || `(no ${name})`)));
    return choice;
  }
}
