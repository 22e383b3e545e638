// Where it begins: the data is unpacked, the address says which view is shown, keys lead from one to the next.

const VIEWS = [["progress", "Progress"], ["lineage", "Lineage"], ["trials", "Trials"], ["compare", "Compare"], ["stats", "Statistics"]];

/** What makes each view, and what of it stays when new trials come. */
const STATES = {
  progress: [Progress, "by", "axis", "log", "wide"],
  lineage: [Lineage, "depth", "scale", "x", "y"],
  trials: [Trials, "by", "down", "shown", "top"],
  stats: [Stats, "by", "sorted", "down"],
};

const app = {
  c: null,

  /** Return the files of some trials; those of a file's page are unpacked when they are first asked for. */
  files(places) {
    if (this.live) return this.live.files(places);
    this.unpacking ||= allRead().then(() => unpacked(block("files"))).then((raw) => new Files(raw));
    return this.unpacking;
  },

  /** Show the first picture, and unpack the rest when it is painted; marks tell a bench of both. */
  async start() {
    theme(saved());
    const raw = await unpacked(block("rows"));
    if (raw.live) this.live = live;
    this.open(new Campaign(raw));
    this.complete = this.finish();
    this.live?.listen();
    await this.complete;
  },

  /** Take in what the first picture did not need; only then trials that came meanwhile. */
  async finish() {
    await onScreen();
    performance.mark("shown");
    await allRead();
    this.c.add(await unpacked(block("rest")));
    this.filters.forget();
    if (this.at[0] !== "progress" || this.filters.words) this.render();
    performance.mark("whole");
  },

  /** Show a campaign, where there is another one the same view of it. */
  open(c) {
    const last = this.c;
    this.c = c;
    const filters = new Filters(c, () => this.render());
    if (this.filters) for (const name of ["off", "specialist", "cohort", "words"]) filters[name] = this.filters[name];
    this.filters = filters;
    const before = this.views;
    this.views = {};
    for (const [name, [kind, ...fields]] of Object.entries(STATES)) {
      const old = before && Object.getOwnPropertyDescriptor(before, name).value;
      lazily(this.views, name, () => {
        const made = new kind(c, filters);
        if (old) for (const field of fields) made[field] = old[field];
        if (old?.chosen !== undefined) made.follow(old);
        return made;
      });
    }
    document.title = c.raw.title;
    if (last && this.isRead(last)) this.head(this.at[0]);
    else this.render();
  },

  /** Whether somebody reads what does not change with new trials, and would lose the place where it was drawn anew. */
  isRead(last) {
    const [view, parts] = this.at;
    const state = (c) => (view === "trial" ? c.status[c.place.get(parts.join("/"))] : view === "compare" ? "" : undefined);
    return state(this.c) !== undefined && state(this.c) === state(last);
  },

  get lineage() {
    return this.views.lineage;
  },

  get at() {
    const [view, ...parts] = location.hash.replace(/^#/, "").split("/");
    const decoded = parts.map((part) => {
      try {
        return decodeURIComponent(part);
      } catch {
        return part;
      }
    });
    return [view in STATES || ["trial", "compare", "keys"].includes(view) ? view : "progress", decoded];
  },

  render() {
    const [view, parts] = this.at;
    const words = document.activeElement?.id === "words" ? document.activeElement.selectionStart : null;
    tip.hide();
    this.head(view);
    const main = document.getElementById("main");
    let content;
    if (view !== "progress" && !this.c.whole) content = h("p.wait", "Reading…");
    else if (view === "trial") content = trialView(parts.join("/"));
    else if (view === "compare") content = compareView(...parts);
    else if (view === "keys") content = keysView();
    else content = this.views[view].view();
    const runs = this.live && (view === "progress" || view === "trials") && h("div", { id: "running" });
    clear(main, this.live && h("p", { id: "said", role: "status" }), runs, content, foot(this.c));
    main.dataset.view = view;
    this.live?.show();
    if (words !== null) {
      const input = document.getElementById("words");
      input?.focus();
      input?.setSelectionRange(words, words);
    }
  },

  head(view) {
    const c = this.c;
    const find = h("input", { type: "search", id: "find", placeholder: "go to a trial  ( / )", "aria-label": "go to a trial" });
    const go = (event) => {
      event.preventDefault();
      const name = find.value.trim();
      if (!name) return;
      if (c.place.has(name)) location.hash = link("trial", name);
      else this.filters.set({ words: name }), (location.hash = "#trials");
    };
    const dark = document.documentElement.dataset.theme === "dark";
    clear(document.getElementById("top"), h("div.bar",
      h("h1", { title: c.raw.title }, data(c.raw.title)),
      h("nav", { "aria-label": "views" }, VIEWS.map(([name, text]) => h("a", { href: `#${name}`, "aria-current": view === name || (view === "trial" && name === "trials") ? "page" : null }, text))),
      h("span.grow"),
      h("form.find", { onsubmit: go }, find),
      h("button", { type: "button", title: "light or dark (t)", "aria-label": "light or dark", onclick: () => this.toggle() }, dark ? "☀" : "☾"),
      h("a", { href: "#keys", title: "keys (?)", "aria-label": "keys" }, "?")));
  },

  toggle() {
    theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
    this.render();
  },

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const c = this.c;
    const [view, parts] = this.at;
    const number = VIEWS[Number(event.key) - 1];
    if (number) location.hash = `#${number[0]}`;
    else if (event.key === "/") event.preventDefault(), document.getElementById("find").focus();
    else if (event.key === "?") location.hash = "#keys";
    else if (event.key === "t") this.toggle();
    else if (event.key === "b" && c.best >= 0) location.hash = link("trial", c.label[c.best]);
    else if (view === "trial" && c.whole && c.place.has(parts.join("/"))) {
      const at = c.place.get(parts.join("/"));
      const to = { n: at + 1, p: at - 1, u: c.parents[at][0], d: c.children[at][0] }[event.key];
      if (to !== undefined && to >= 0 && to < c.n) location.hash = link("trial", c.label[to]);
    }
  },
};

function keysView() {
  const keys = [["1 to 5", "progress, lineage, trials, compare, statistics"], ["/", "go to a trial, or search for words"], ["b", "the best trial"], ["t", "light or dark"], ["n, p", "in a trial: the next and the one before"], ["u, d", "in a trial: up to its parent, down to its first child"], ["j, k, Enter", "in the table: down, up, open"], ["arrows, Enter, space", "in the graph: move, open, fold"], ["?", "this list"]];
  return [h("h2", "Keys"), h("div.panel", h("dl.facts", keys.map(([key, text]) => [h("dt", h("code", key)), h("dd", text)])))];
}

function foot(c) {
  const left = c.raw.left ? `${counted(c.raw.left, "trial")} of the campaign were left out when this page was made. ` : "";
  const without = c.raw.without ? `The files of ${counted(c.raw.without, "trial")} are not in it; gitlineage diff ID shows them. ` : "";
  const cut = c.raw.cut ? `The long texts of ${counted(c.raw.cut, "trial")} are cut, which ends in …; gitlineage show ID has them. ` : "";
  return h("p.note", left, without, cut, `Made by gitlineage ${c.raw.version}`, c.raw.made ? ` at ${c.raw.made}` : "", c.raw.live ? ", live." : ". It works offline and asks nobody for anything.");
}

/** Return a data block's text; the page keeps it no longer. */
function block(name) {
  const node = document.getElementById(name);
  const text = node.textContent;
  node.remove();
  return text;
}

/** Wait until what was drawn is on the screen. */
const onScreen = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));

/** Wait until all of the file is read. */
const allRead = () => new Promise((done) => (document.readyState === "loading" ? addEventListener("DOMContentLoaded", done) : done()));

function saved() {
  let kept = null;
  try {
    kept = localStorage.getItem("gitlineage-theme");
  } catch {
    // files may have no storage
  }
  return kept || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
}

function theme(name) {
  document.documentElement.dataset.theme = name;
  try {
    localStorage.setItem("gitlineage-theme", name);
  } catch {
    // as above
  }
}

addEventListener("hashchange", () => {
  app.render();
  scrollTo(0, 0);
});
addEventListener("keydown", (event) => app.c && app.key(event));
/** On paper it is light, and a table has its first rows; what was on the screen is there again afterwards. */
addEventListener("beforeprint", () => {
  if (!app.c) return;
  app.printed = document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = "light";
  app.views[app.at[0]]?.print?.();
});
addEventListener("afterprint", () => {
  if (!app.c) return;
  document.documentElement.dataset.theme = app.printed;
  app.views[app.at[0]]?.print && app.render();
});
let resized = 0;
addEventListener("resize", () => {
  clearTimeout(resized);
  resized = setTimeout(() => app.c && app.at[0] === "progress" && app.views.progress.draw(), 150);
});
app.start().catch((error) => clear(document.getElementById("main"), h("p.wait", `This page could not be shown: ${error.message}. It needs a browser of 2023 or later.`)));
