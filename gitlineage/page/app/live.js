// The page on live data: files are asked for when they are looked at, new trials come by themselves, and what runs is shown
// with the end of its log and its last score.

const live = {
  known: new Map(),
  runs: [],
  asking: false,
  again: false,

  async files(places) {
    const { c } = app;
    const key = places.map((at) => c.label[at]).join("\n");
    if (!this.known.has(key)) {
      const query = places.map((at) => `id=${encodeURIComponent(c.label[at])}&at=${at}`).join("&");
      this.known.set(key, fetch(`files?${query}`).then((answer) => answer.json()).then((raw) => new Files(raw)));
    }
    return this.known.get(key);
  },

  listen() {
    const source = new EventSource("events");
    source.addEventListener("changed", (event) => JSON.parse(event.data) === app.c.raw.state || this.take());
    source.addEventListener("running", (event) => {
      this.runs = JSON.parse(event.data);
      this.show();
    });
    source.addEventListener("error", () => this.say("The server does not answer; what is here is what it said last."));
    source.addEventListener("open", () => this.say(""));
    setInterval(() => this.show(true), 1000);
  },

  /** Take in the trials that came or changed; what comes while they are read is asked for after that. */
  async take() {
    this.again = true;
    if (this.asking) return;
    this.asking = true;
    try {
      while (this.again) {
        this.again = false;
        await app.complete;
        const { c } = app;
        const told = await (await fetch(`rows?since=${encodeURIComponent(c.raw.state)}`)).json();
        if (told.later) setTimeout(() => this.take(), told.later * 1000);
        else if (!told.columns && !told.rows.length) c.raw.state = told.state;
        else {
          this.known.clear();
          app.open(told.columns ? new Campaign(told) : c.with(told));
        }
        if (told.columns) this.again = true; // this was so some time ago
      }
    } finally {
      this.asking = false;
    }
  },

  say(text) {
    const node = document.getElementById("said");
    if (node) clear(node, text);
  },

  /** Return the run of a trial that goes on, if there is one. */
  run(at) {
    return this.runs.find((run) => run.id === app.c.label[at] || run.id === app.c.cell("exp_id", at));
  },

  /** Show what runs where the view has a place for it. */
  show(clockOnly = false) {
    if (!app.c || (clockOnly && !this.runs.length)) return;
    const list = document.getElementById("running");
    if (list) clear(list, this.runs.length > 0 && h("div.panel", h("h3", `Running now (${this.runs.length})`), h("ul.runs", this.runs.map((run) => this.line(run)))));
    const log = document.getElementById("log");
    const at = app.at[0] === "trial" ? app.c.place.get(app.at[1].join("/")) : undefined;
    if (!log && at !== undefined && this.run(at)) return app.render();
    const run = log && this.runs.find((each) => each.id === log.dataset.run);
    if (!run || clockOnly) return;
    const atEnd = log.scrollTop + log.clientHeight > log.scrollHeight - 30;
    clear(log, data(run.log));
    if (atEnd) log.scrollTop = log.scrollHeight;
  },

  line(run) {
    const known = app.c.place.has(run.id);
    const took = run.began ? Math.max(0, Math.round(Date.now() / 1000 - run.began)) : null;
    const last = run.log.trimEnd().split("\n").pop();
    return h("li",
      known ? h("a", { href: link("trial", run.id) }, data(run.id)) : data(run.id),
      run.state !== "running" && h("span.s-died", run.state),
      took !== null && h("span.soft.num", duration(took)),
      run.score && h("span", data(app.c.task.label), " ", h("b", data(run.score))),
      run.specialist && h("span.soft", data(run.specialist)),
      h("span.hyp", data(run.hypothesis || run.command)),
      last && h("code.last", { title: run.command }, data(last)));
  },
};
