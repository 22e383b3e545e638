// One trial: its row, what it came from and what came of it, its other runs, its difference to each parent, its prompt.

function trialView(name) {
  const { c } = app;
  const at = c.place.get(name);
  if (at === undefined) return [h("h2", "Not in this page"), h("p", "No trial is called ", data(name), c.raw.left ? " among those that this page was made of." : "."), command("show", name)];
  const move = (to, text) => (to >= 0 && to < c.n ? h("a", { href: link("trial", c.label[to]), title: c.label[to] }, text) : h("span.soft", text));
  const score = c.cell(c.task.field, at);
  const delta = c.cell("delta_vs_best", at);
  const gain = parsed(delta);
  return [
    h("div.row.spread",
      h("div.row", h("h2", data(c.label[at])), badge(c.status[at]), at === c.best && h("span.gain", "★ the best"), score && h("span", data(c.task.label), " ", h("b", data(score))), delta && h(`span.${gain !== null && c.better(gain, 0) ? "gain" : "loss"}`, data(delta))),
      h("div.row", move(at - 1, "← before"), move(at + 1, "next →"))),
    c.cell("hypothesis", at) && h("p.lead.prose", data(c.cell("hypothesis", at))),
    c.changed(at) && h("p.loss", data(c.changed(at)), " changed while it ran: its score may be of other code than its commit has."),
    h("div.two", h("div.panel", facts(at)), h("div.panel", around(at))),
    replicatesOf(at),
    logOf(at),
    differencesOf(at),
    promptOf(at),
    h("h3", "In a terminal"), command("show", c.label[at]), c.parents[at].length > 0 && command("diff", c.label[at]), command("restore", c.label[at]),
  ];
}

function facts(at) {
  const { c } = app;
  const skip = new Set(["hypothesis", "timestamp", c.task.field, "parent_exp"]);
  const pairs = [
    ["when", c.time(at)],
    ...c.columns.filter((name) => !skip.has(name)).map((name) => [name, c.cell(name, at)]),
    ["cohort", c.cell("cohort", at)],
    ["commit", c.cell("commit", at)],
    ["recorded by", c.cell("writer", at)],
  ].filter(([, text]) => text);
  return h("dl.facts", pairs.map(([name, text]) => [h("dt", data(name)), h("dd", name === "commit" ? h("span.mono", text) : h("div.prose", data(text)))]));
}

const trialLink = (at, ...more) => h("span", h("a", { href: link("trial", app.c.label[at]), title: app.c.cell("hypothesis", at) }, data(app.c.label[at])), h(`span.s-${look(app.c.status[at])[0]}`, glyph(app.c.status[at])), h("span.soft", figure(app.c.score[at])), more);

/** Return links to some trials; of very many the first, with the number of the others. */
function trialLinks(places, say = () => null) {
  const most = 60;
  return h("div.links", places.slice(0, most).map((at) => trialLink(at, say(at))), places.length > most && h("span.soft", `and ${(places.length - most).toLocaleString("en")} more`));
}

function around(at) {
  const { c } = app;
  const part = (title, content) => content && [h("h3", title), content];
  const line = c.line(at);
  const related = c.relations(at);
  const inspired = c.raw.inspired[at] || [];
  const siblings = c.siblings(at);
  const relation = ([source, kind, target]) => h("span", h("a", { href: link("trial", source) }, data(source)), ` ${kind.replaceAll("_", " ")} `, h("a", { href: link("trial", target) }, data(target)));
  return [
    part("Came from", c.parents[at].length || inspired.length ? h("div.links",
      c.parents[at].map((parent, i) => trialLink(parent, h("span.soft", c.role(at, parent) || (i ? "further parent" : "")))),
      inspired.map(([name, role]) => h("span", h("a", { href: link("trial", name) }, data(name)), h("span.soft", role)))) : h("p.note", c.cell("parent_exp", at) ? ["nothing in this page; its row says ", data(c.cell("parent_exp", at))] : "nothing: it is a root")),
    part(`Children (${c.children[at].length})`, c.children[at].length > 0 && trialLinks(c.children[at])),
    part(`Siblings (${siblings.length})`, siblings.length > 0 && trialLinks(siblings)),
    part("Relations", related.length > 0 && h("div.links", related.map(relation))),
    part(`Its line, ${counted(line.length, "trial")}`, line.length > 1 && h("div.links", (line.length > 14 ? [...line.slice(0, 3), -1, ...line.slice(-10)] : line).map((each) => (each < 0 ? h("span.soft", "⋯") : trialLink(each))))),
    h("div.tabs", h("a.button", { href: "#lineage", onclick: () => app.lineage.focus(at) }, "in the graph"), c.best >= 0 && at !== c.best && h("a.button", { href: `#compare/${encodeURIComponent(c.label[at])}/${encodeURIComponent(c.label[c.best])}` }, "compare with the best")),
  ];
}

function replicatesOf(at) {
  const { c } = app;
  const runs = c.replicates(at);
  if (runs.length < 2) return null;
  const scores = runs.map((each) => c.measured(each)).filter((score) => !Number.isNaN(score));
  const sigma = spread(scores);
  return [h("h3", `Runs of the same content (${runs.length})`), h("p.note", scores.length ? `mean ${figure(mean(scores))}` : "", sigma !== null ? `, standard deviation ${figure(sigma)}` : ""), trialLinks(runs)];
}

function differencesOf(at) {
  const { c } = app;
  const parents = c.parents[at];
  if (!parents.length) return null;
  const box = h("div");
  const show = (parent) => {
    clear(box, parents.length > 1 && h("div.tabs", parents.map((each) => h("button", { type: "button", "aria-pressed": String(each === parent), onclick: () => show(each) }, data(c.label[each]), h("span.soft", ` ${c.role(at, each)}`)))), differences(parent, at));
  };
  show(parents[0]);
  return [h("h3", "What it changed, beside ", parents.length > 1 ? "each of its parents" : data(c.label[parents[0]])), box];
}

/** Return the end of a trial's log: of one that runs now as it comes, else what its note keeps. */
function logOf(at) {
  const { c } = app;
  const run = app.live?.run(at);
  if (run) return [h("h3", "Its log, as it comes"), h("pre.text.log", { id: "log", "data-run": run.id }, data(run.log))];
  if (!c.cell("command", at)) return null;
  const failed = !c.eligible(at) && c.status[at] !== "discard";
  const box = h("details.file", { open: failed }, h("summary", "The end of its log"));
  const fill = async () => {
    if (!box.open || box.children.length > 1) return;
    const files = await app.files([at]);
    const file = files.raw.logs[at];
    if (box.children.length < 2) box.append(...(file === undefined ? [h("p.note", "It is not in this page. Where it was kept, this shows it:"), command("runs", "log", c.label[at])] : [h("pre.text.log", data(files.text(file)))]));
  };
  box.addEventListener("toggle", fill);
  fill();
  return [h("h3", "Log"), box];
}

function promptOf(at) {
  const { c } = app;
  if (!c.raw.saw.includes(at)) return null;
  const box = h("details.file", h("summary", "The prompt that its agent had read"));
  box.addEventListener("toggle", async () => {
    if (!box.open || box.children.length > 1) return;
    const files = await app.files([at]);
    const file = files.raw.prompts[at];
    box.append(file === undefined ? h("p.note", "It is not in this page; `gitlineage prompt --at` shows it.") : h("pre.text", data(files.text(file))));
  });
  return [h("h3", "Prompt"), box];
}
