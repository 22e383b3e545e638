// The campaign: columns as they were embedded or fetched, and what follows from them. Places of trials are numbers from 0.

const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;

/** Return the finite number that a cell spells, else null; the rule is the library's. */
function parsed(text) {
  const plain = text.trim();
  if (!NUMBER.test(plain)) return null;
  const value = Number(plain);
  return Number.isFinite(value) ? value : null;
}

/** Return a moment as most rows spell it. */
const iso = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 19) + "Z";

/** Return the bytes of a text in base64. */
function decoded(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const signs = atob(text);
  const bytes = new Uint8Array(signs.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = signs.charCodeAt(at);
  return bytes;
}

/** Return a value from compressed JSON in base64. */
async function unpacked(text) {
  const stream = new Blob([decoded(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

/** Give an object a value that is worked out when it is first asked for. */
function lazily(object, name, make) {
  Object.defineProperty(object, name, {
    configurable: true,
    get() {
      const value = make();
      Object.defineProperty(object, name, { value, writable: true });
      return value;
    },
  });
}

/** Return the text of a cell of a trial that came. */
const textOf = (row, name) => row.cells[name] ?? (name === "exp_id" ? row.label : "");

class Campaign {
  constructor(raw) {
    this.raw = raw;
    this.n = raw.n;
    this.task = raw.task;
    this.columns = raw.columns;
    this.status = raw.status.at.map((at) => raw.status.of[at]);
    const { kept, baseline, silent, crashed } = raw.rules;
    this.rules = { kept: new Set(kept), baseline: new Set(baseline), silent: new Set(silent), crashed: new Set(crashed) };
    this.score = this._numbers(this.task.field);
    for (let at = 0; at < this.n; at++) if (this.status[at] === "retracted") this.score[at] = NaN;
    this.when = new Float64Array(this.n).fill(NaN);
    let time = 0;
    raw.when.forEach((step, at) => {
      if (step !== null) this.when[at] = time += step;
    });
    this.steps = this._staircase();
    this.best = raw.best;
    this.runs = new Map();
    for (const [at, first] of Object.entries(raw.same)) {
      if (!this.runs.has(first)) this.runs.set(first, [first]);
      this.runs.get(first).push(Number(at));
    }
    lazily(this, "label", () => Array.from({ length: this.n }, (_, at) => this._of(raw.label, at)));
    lazily(this, "total", () => this._numbers("total_s"));
    lazily(this, "train", () => this._numbers("train_s"));
    lazily(this, "place", () => new Map(this.label.map((label, at) => [label, at])));
    lazily(this, "parents", () => raw.parents.map((back, at) => (back === 0 ? [] : Array.isArray(back) ? back.map((each) => at - each) : [at - back])));
    lazily(this, "children", () => {
      const children = Array.from({ length: this.n }, () => []);
      this.parents.forEach((above, at) => above.forEach((parent) => children[parent].push(at)));
      return children;
    });
    lazily(this, "bestLine", () => this.line(this.best));
    lazily(this, "onBest", () => new Set(this.bestLine));
    lazily(this, "unknown", () => new Set(raw.unknown));
  }

  /** Whether everything is there, not only what the first picture needs. */
  get whole() {
    return this.raw.relations !== undefined;
  }

  /** Take in what the first picture did not need. */
  add(rest) {
    const cells = { ...this.raw.cells, ...rest.cells };
    Object.assign(this.raw, rest, { cells });
  }

  /** Return the campaign with trials that came or changed since; what this one is made of goes into it. */
  with({ state, n, rows }) {
    const { raw } = this;
    const when = Array.from({ length: n }, (_, at) => (at < this.n && !Number.isNaN(this.when[at]) ? this.when[at] : null));
    const set = (holder, name, at, text) => {
      holder[name] = this._set(holder[name], at, text, n);
    };
    for (const row of rows) {
      const { at } = row;
      for (const name of ["label", "cohort", "writer"]) set(raw, name, at, row[name]);
      set(raw, "status", at, row.status);
      raw.oid[at] = row.oid.slice(0, raw.oid[0]?.length);
      raw.parents[at] = row.parents.length === 1 ? at - row.parents[0] : row.parents.length ? row.parents.map((above) => at - above) : 0;
      when[at] = row.when;
      for (const [name, value] of [["roles", row.roles], ["inspired", row.inspired], ["same", row.same]]) value === null ? delete raw[name][at] : (raw[name][at] = value);
      for (const [name, is] of [["saw", row.saw], ["unknown", row.unknown]]) raw[name] = [...raw[name].filter((each) => each !== at), ...(is ? [at] : [])];
    }
    let last = 0;
    raw.when = when.map((time) => {
      const step = time === null ? null : time - last;
      last = time ?? last;
      return step;
    });
    raw.columns = [...new Set([...raw.columns, ...rows.flatMap((row) => Object.keys(row.cells))])];
    for (const name of raw.columns) {
      const text = (row) => textOf(row, name);
      const column = raw.cells[name];
      const rule = typeof column === "string" ? column : column?.as;
      if (rule) for (const row of rows) raw.cells[name] = this._but(raw.cells[name], row.at, this._told(rule, row), text(row));
      else for (const row of rows) set(raw.cells, name, row.at, text(row));
    }
    const now = new Campaign(Object.assign(raw, { state, n }));
    raw.best = now.best = now.steps[now.steps.length - 1] ?? -1;
    return now;
  }

  /** Return what a column that is told by something else says of a trial that came. */
  _told(column, row) {
    if (column === "when") return row.when === null ? "" : iso(row.when);
    if (column === "parent") return row.parents.length ? this._of(this.raw.label, row.parents[0]) : "";
    return textOf(row, column.slice(1));
  }

  /** Return a column that is told by another one, with a text in one place, which may be what it is told to be. */
  _but(column, at, told, text) {
    if (told !== text) return { as: column.as ?? column, but: { ...column.but, [at]: text } };
    if (column.but) delete column.but[at];
    return column;
  }

  /** Return a column with a text in one place, as short as it was where that is possible. */
  _set(column, at, text, n) {
    if (column === undefined) column = new Array(n).fill("");
    if (Array.isArray(column)) column[at] = text;
    else if (column.of) {
      let place = column.of.indexOf(text);
      if (place < 0) place = column.of.push(text) - 1;
      column.at[at] = place;
    } else if (this._of(column, at) !== text) {
      column = Array.from({ length: at === this.n ? at : this.n }, (_, each) => this._of(column, each));
      column[at] = text;
    }
    return column;
  }

  /** Return a column's numbers, NaN where a cell spells none. */
  _numbers(name) {
    const column = this._named(this.raw.cells[name]);
    const number = (text) => parsed(text) ?? NaN;
    if (column === undefined) return new Float64Array(this.n).fill(NaN);
    if (column.of) {
      const known = column.of.map(number);
      return Float64Array.from(column.at, (place) => known[place]);
    }
    return Float64Array.from({ length: this.n }, (_, at) => number(this._of(column, at)));
  }

  /** Return the different texts of a column. */
  values(name) {
    this._values ||= new Map();
    if (!this._values.has(name)) {
      const column = name === "cohort" || name === "writer" ? this.raw[name] : name === "status" ? this.raw.status : this._named(this.raw.cells[name]);
      const found = column?.of ?? Array.from({ length: this.n }, (_, at) => this.cell(name, at));
      this._values.set(name, new Set(found));
    }
    return this._values.get(name);
  }

  /** Return the column that tells what a column holds, where it is told by another. */
  _named(column) {
    return typeof column === "string" && column[0] === "=" ? this.raw.cells[column.slice(1)] : column;
  }

  _of(column, at) {
    if (Array.isArray(column)) return column[at];
    if (column === "when") return this.iso(at);
    if (column === "parent") return this.parents[at].length ? this._of(this.raw.label, this.parents[at][0]) : "";
    if (typeof column === "string") return this._of(this.raw.cells[column.slice(1)], at);
    if (column.as) return column.but[at] ?? this._of(column.as, at);
    if (column.of) return column.of[column.at[at]];
    return column.prefix + String(column.first + at).padStart(column.digits, "0");
  }

  /** Return the text of a cell, as the row has it. */
  cell(name, at) {
    if (name === "status") return this.status[at];
    if (name === "id") return this.label[at];
    if (name === "cohort" || name === "writer") return this.raw[name] ? this._of(this.raw[name], at) : "";
    if (name === "parent") return this.parents[at].length ? this.label[this.parents[at][0]] : "";
    if (name === "commit") return this.raw.oid[at];
    const column = this.raw.cells[name];
    return column ? this._of(column, at) : name === "exp_id" ? this.label[at] : "";
  }

  counts(at) {
    return this.status[at] !== "pending" && this.status[at] !== "retracted";
  }
  informs(at) {
    return this.counts(at) && !this.rules.silent.has(this.status[at]);
  }
  eligible(at) {
    return this.rules.kept.has(this.status[at]) || this.rules.baseline.has(this.status[at]);
  }
  better(a, b) {
    return this.task.lower ? a < b : a > b;
  }
  /** Return a score that measures its content, else NaN. */
  measured(at) {
    return this.counts(at) && !this.rules.crashed.has(this.status[at]) ? this.score[at] : NaN;
  }
  /** Return how long a trial took, null where nobody said. */
  seconds(at) {
    const took = Number.isNaN(this.total[at]) ? this.train[at] : this.total[at];
    return Number.isNaN(took) ? null : took;
  }
  /** Return the files that changed while a trial's command ran, so that its score may be of other code; mostly empty. */
  changed(at) {
    return this.cell("command", at) && this.cell("exit_code", at) ? this.cell("changed", at) : "";
  }
  role(at, parent) {
    const roles = this.raw.roles[at];
    return roles ? roles[this.parents[at].indexOf(parent)] || "" : "";
  }
  /** Return the line of primary parents to a trial, root first. */
  line(at) {
    const found = [];
    const seen = new Set();
    while (at >= 0 && at !== undefined && !seen.has(at)) {
      seen.add(at);
      found.unshift(at);
      at = this.parents[at].length ? this.parents[at][0] : -1;
    }
    return found;
  }
  /** Return all trials that ran the same content, this one among them, in order. */
  replicates(at) {
    const first = this.raw.same[at] ?? at;
    return this.runs.get(first) || [at];
  }
  siblings(at) {
    const cohort = this.cell("cohort", at);
    const near = new Set(this.parents[at].length ? this.children[this.parents[at][0]] : []);
    if (cohort) this.members(cohort).forEach((each) => near.add(each));
    near.delete(at);
    return [...near].sort((a, b) => a - b);
  }
  members(cohort) {
    if (!this._members) {
      this._members = new Map();
      for (let at = 0; at < this.n; at++) {
        const name = this.cell("cohort", at);
        if (name) this._members.has(name) ? this._members.get(name).push(at) : this._members.set(name, [at]);
      }
    }
    return this._members.get(cohort) || [];
  }
  relations(at) {
    return this.raw.relations.filter(([source, , target]) => source === this.label[at] || target === this.label[at]);
  }
  /** Return the trials that were the best when they were recorded. */
  _staircase() {
    const steps = [];
    let least = NaN;
    for (let at = 0; at < this.n; at++) {
      if (!this.eligible(at) || Number.isNaN(this.score[at])) continue;
      if (Number.isNaN(least) || this.better(this.score[at], least)) {
        least = this.score[at];
        steps.push(at);
      }
    }
    return steps;
  }
  /** Return what a trial gained on the best before it; 0 where it did not. */
  gains() {
    if (!this._gains) {
      this._gains = new Map();
      this.steps.forEach((at, step) => step && this._gains.set(at, Math.abs(this.score[at] - this.score[this.steps[step - 1]])));
    }
    return this._gains;
  }
  /** Return when a trial was, spelled as most rows spell it; empty where nobody knows. */
  iso(at) {
    return Number.isNaN(this.when[at]) ? "" : iso(this.when[at]);
  }
  time(at) {
    return this.cell("timestamp", at) || this.iso(at);
  }
}

/** Return the figures of trials by group, as `gitlineage stats` counts them. */
function statistics(c, places, by) {
  const groups = new Map();
  for (const at of places) {
    if (!c.counts(at)) continue;
    const name = by === "day" ? (Number.isNaN(c.when[at]) ? "" : c.time(at).trim().slice(0, 10)) : by ? c.cell(by, at) : "";
    groups.has(name) ? groups.get(name).push(at) : groups.set(name, [at]);
  }
  const gains = c.gains();
  const found = [...groups].map(([group, some]) => {
    const kept = some.filter((at) => c.rules.kept.has(c.status[at])).length;
    const could = some.filter((at) => c.informs(at) && !c.rules.baseline.has(c.status[at])).length;
    let best = -1;
    let hours = null;
    let gain = 0;
    for (const at of some) {
      if (c.eligible(at) && !Number.isNaN(c.score[at]) && (best < 0 || c.better(c.score[at], c.score[best]))) best = at;
      const took = c.seconds(at);
      if (took !== null) hours = (hours || 0) + took / 3600;
      gain += gains.get(at) || 0;
    }
    let since = 0;
    for (let at = some.length - 1; at >= 0 && !c.rules.kept.has(c.status[some[at]]); at--) since += c.informs(some[at]) ? 1 : 0;
    return { group, trials: some.length, kept, rate: could ? kept / could : null, best, score: best < 0 ? null : c.score[best], gain, per: gain / some.length, hours, since };
  });
  const order = (stat) => (stat.score === null ? Infinity : c.task.lower ? stat.score : -stat.score);
  return found.map((stat, at) => [stat, at]).sort(([a, i], [b, j]) => (order(a) === order(b) ? i - j : order(a) - order(b))).map(([stat]) => stat);
}

/** Return the rank-sum test of two samples, as the library makes it; null where they are too few. */
function rankTest(a, b, lower) {
  const [n, m] = [a.length, b.length];
  const choose = (top, take) => {
    let ways = 1;
    for (let at = 1; at <= take; at++) ways = (ways * (top - take + at)) / at;
    return ways;
  };
  if (!n || !m || 2 / choose(n + m, Math.min(n, m)) > 0.05) return null;
  const values = [...a, ...b];
  const order = [...values.keys()].sort((x, y) => values[x] - values[y]);
  const ranks = new Array(n + m);
  let ties = 0;
  for (let start = 0, end; start < order.length; start = end + 1) {
    end = start;
    while (end + 1 < order.length && values[order[end + 1]] === values[order[start]]) end++;
    for (let at = start; at <= end; at++) ranks[order[at]] = (start + end) / 2 + 1;
    if (end > start) ties += (end - start + 1) ** 3 - (end - start + 1);
  }
  const low = ranks.slice(0, n).reduce((sum, rank) => sum + rank, 0) - (n * (n + 1)) / 2;
  const u = lower ? n * m - low : low;
  if (!ties && n + m <= 20) {
    const ways = Array.from({ length: n + 1 }, () => new Array(n * m + 1).fill(0));
    ways[0][0] = 1;
    for (let rank = 1; rank <= n + m; rank++)
      for (let taken = Math.min(n, rank); taken > 0; taken--) {
        const step = rank - taken;
        if (step <= m) for (let pairs = n * m; pairs >= step; pairs--) ways[taken][pairs] += ways[taken - 1][pairs - step];
      }
    const tail = ways[n].slice(0, Math.min(u, n * m - u) + 1).reduce((sum, count) => sum + count, 0);
    return { u, share: u / (n * m), p: Math.min(1, (2 * tail) / choose(n + m, n)), method: "exact" };
  }
  const sigma = Math.sqrt(((n * m) / 12) * (n + m + 1 - ties / ((n + m) * (n + m - 1))));
  const z = sigma ? Math.max(0, Math.abs(u - (n * m) / 2) - 0.5) / sigma : 0;
  return { u, share: u / (n * m), p: sigma ? Math.min(1, 2 * below(-z)) : 1, method: "normal" };
}

/** Return the share of the normal distribution below a value that is not positive (Hart's and West's approximation). */
function below(z) {
  const x = Math.abs(z);
  if (x > 37) return 0;
  const e = Math.exp((-x * x) / 2);
  if (x < 7.07106781186547) {
    const top = [0.0352624965998911, 0.700383064443688, 6.37396220353165, 33.912866078383, 112.079291497871, 221.213596169931, 220.206867912376];
    const bottom = [0.0883883476483184, 1.75566716318264, 16.064177579207, 86.7807322029461, 296.564248779674, 637.333633378831, 793.826512519948, 440.413735824752];
    const sum = (parts) => parts.reduce((total, part) => total * x + part, 0);
    return (e * sum(top)) / sum(bottom);
  }
  return e / (x + 1 / (x + 2 / (x + 3 / (x + 4 / (x + 0.65))))) / 2.506628274631;
}
