// Statistics: who gets on and who is stuck, by group, with the figures of `gitlineage stats`.

const GROUPS = ["specialist", "cohort", "domain", "parent", "status", "day"];
const HEADS = [["group", ""], ["trials", "trials"], ["kept", "kept"], ["rate", "keep rate"], ["best", "best"], ["score", "score"], ["gain", "gain"], ["per", "gain a trial"], ["hours", "hours"], ["since", "since keep"]];

class Stats {
  constructor(c, filters) {
    Object.assign(this, { c, filters, by: GROUPS.find((name) => this.several(c, name)) || "status", sorted: null, down: true });
  }

  several(c, name) {
    if (name === "day") return false;
    for (let at = 1; at < c.n; at++) if (c.cell(name, at) !== c.cell(name, 0)) return true;
    return false;
  }

  view() {
    const { c } = this;
    const tabs = GROUPS.map((name) => h("button", { type: "button", "aria-pressed": String(this.by === name), onclick: () => ((this.by = name), app.render()) }, name));
    let rows = statistics(c, this.filters.found(), this.by);
    if (this.sorted) {
      const key = (stat) => (this.sorted === "best" ? (stat.best < 0 ? "" : c.label[stat.best]) : stat[this.sorted]);
      rows = [...rows].sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1;
        return (x < y ? -1 : x > y ? 1 : 0) * (this.down ? -1 : 1);
      });
    }
    const timed = rows.some((stat) => stat.hours !== null);
    const head = h("tr", HEADS.filter(([name]) => timed || name !== "hours").map(([name, text]) => h(`th${name === "group" || name === "best" ? "" : ".num"}`, { scope: "col" }, h("button", { type: "button", onclick: () => this.sort(name) }, text || this.by, this.sorted === name ? (this.down ? " ▾" : " ▴") : ""))));
    const most = 1000;
    const body = rows.slice(0, most).map((stat) => h("tr",
      h("th", { scope: "row" }, this.by === "status" ? badge(stat.group) : stat.group ? data(stat.group) : h("span.soft", `(no ${this.by})`)),
      h("td.num", stat.trials.toLocaleString("en")), h("td.num", stat.kept.toLocaleString("en")),
      h("td.num", percent(stat.rate), stat.rate !== null && meter(stat.rate)),
      h("td", stat.best >= 0 && h("a", { href: link("trial", c.label[stat.best]) }, data(c.label[stat.best]))), h("td.num", figure(stat.score)),
      h("td.num.gain", stat.gain ? figure(stat.gain) : ""), h("td.num", stat.gain ? figure(stat.per) : ""), timed && h("td.num", stat.hours === null ? "" : stat.hours.toFixed(2)), h("td.num", stat.since.toLocaleString("en"))));
    return [this.filters.bar(), h("div.tabs", h("span.soft", "by"), tabs), h("div.scroll", h("table", { id: "stats" }, h("thead", head), h("tbody", body))),
      h("p.note", rows.length > most && `The first ${most} of ${rows.length.toLocaleString("en")} groups. `, "The group with the best trial comes first. Gain is by how much a group's trials improved on the best of the whole campaign before them; the keep rate is of those that could be kept, without baselines and harness aborts.")];
  }

  sort(name) {
    if (this.sorted === name) this.down ? (this.down = false) : ([this.sorted, this.down] = [null, true]);
    else [this.sorted, this.down] = [name, true];
    app.render();
  }
}

function meter(share) {
  const bar = h("i");
  bar.style.width = `${Math.round(share * 100)}%`;
  return h("span.meter", { "aria-hidden": "true" }, bar);
}
