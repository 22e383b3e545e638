// The files of trials: which were embedded, what two trees differ in, and the difference of two files, in colours.

const LANGUAGES = { py: "python", pyi: "python", sh: "bash", bash: "bash", json: "json", jsonl: "json", yaml: "yaml", yml: "yaml", toml: "toml", ini: "ini", cfg: "ini", js: "javascript", mjs: "javascript", ts: "javascript", c: "c", h: "c", cu: "c", cpp: "c", cc: "c", rs: "rust", go: "go" };
const COLOURED = 200000;
const SHOWN = 3;

class Files {
  constructor(raw) {
    this.raw = raw;
  }

  has(at) {
    return this.raw.trees[at] !== undefined;
  }

  /** Return which file each path that differs anywhere has in a trial's tree. */
  tree(at) {
    const above = [];
    for (let here = at; here >= 0; here = this.raw.trees[here][0]) above.unshift(this.raw.trees[here][1]);
    const found = new Map(this.raw.base);
    for (const changes of above) for (const [path, file] of changes) file < 0 ? found.delete(path) : found.set(path, file);
    return found;
  }

  /** Return the paths in which two trials differ, sorted, each with its two files. */
  between(before, after) {
    const [old, now] = [this.tree(before), this.tree(after)];
    const found = [];
    for (const path of new Set([...old.keys(), ...now.keys()])) if (old.get(path) !== now.get(path)) found.push({ path: this.raw.paths[path], old: old.get(path), now: now.get(path) });
    return found.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** Return a file's lines as numbers; a word for one that is not shown, null for none. */
  numbers(file) {
    if (file === undefined) return [];
    const runs = this.raw.files[file];
    if (typeof runs === "string") return runs;
    const found = [];
    for (let at = 0; at < runs.length; at += 2) for (let line = 0; line < runs[at + 1]; line++) found.push(runs[at] + line);
    if (found.length && this.raw.lines[found[found.length - 1]] === "") found.pop();
    else if (found.length) found.open = true;
    return found;
  }

  text(file) {
    const numbers = this.numbers(file);
    return typeof numbers === "string" ? numbers : numbers.map((at) => this.raw.lines[at]).join("\n");
  }
}

/** Return the tokens of every line of a text: lists of [text, class]. */
function tokens(lines, path) {
  const name = LANGUAGES[path.slice(path.lastIndexOf(".") + 1).toLowerCase()];
  const text = lines.join("\n");
  if (!name || !Prism.languages[name] || text.length > COLOURED) return lines.map((line) => [[line, ""]]);
  const found = [[]];
  const walk = (token, kind) => {
    if (typeof token === "string") {
      token.split("\n").forEach((part, at) => {
        if (at) found.push([]);
        if (part) found[found.length - 1].push([part, kind]);
      });
    } else if (Array.isArray(token)) token.forEach((each) => walk(each, kind));
    else walk(token.content, kindOf(token.type) || kind);
  };
  walk(Prism.tokenize(text, Prism.languages[name]), "");
  return found;
}

const kindOf = (type) => ({ comment: "t-comment", string: "t-string", "triple-quoted-string": "t-string", "string-interpolation": "t-string", keyword: "t-keyword", boolean: "t-number", number: "t-number", function: "t-function", "class-name": "t-function", builtin: "t-builtin", decorator: "t-builtin", property: "t-builtin", tag: "t-keyword", title: "t-keyword", key: "t-builtin", atrule: "t-builtin" })[type] || "";

/** Return the nodes of a line: its tokens, with what changed inside it marked. */
function painted(parts, marks) {
  const nodes = [];
  let at = 0;
  for (const [text, kind] of parts) {
    let start = 0;
    while (start < text.length) {
      const inside = marks && marks.some(([from, to]) => at + start >= from && at + start < to);
      let end = text.length;
      for (const [from, to] of marks || []) for (const edge of [from, to]) if (edge > at + start && edge < at + end) end = edge - at;
      const piece = text.slice(start, end);
      const node = kind ? h(`span.${kind}`, piece) : document.createTextNode(piece);
      nodes.push(inside ? h("b", node) : node);
      start = end;
    }
    at += text.length;
  }
  return nodes;
}

/** Return where two lines differ, as ranges in the old and the new one. */
function words(before, after) {
  if (before.length > 2000 || after.length > 2000) return [null, null];
  const [old, now] = [[], []];
  let [x, y, same] = [0, 0, 0];
  for (const part of Diff.diffWordsWithSpace(before, after)) {
    const size = part.value.length;
    if (part.removed) old.push([x, x + size]), (x += size);
    else if (part.added) now.push([y, y + size]), (y += size);
    else (x += size), (y += size), (same += part.value.trim().length);
  }
  return same * 2 < Math.min(before.trim().length, after.trim().length) ? [null, null] : [old, now];
}

/** Return the rows of a difference: [kind, old line, new line]; a changed line has both. */
function lines(old, now) {
  const rows = [];
  let [x, y] = [0, 0];
  let gone = [];
  const flush = () => (gone.forEach((at) => rows.push(["del", at, null])), (gone = []));
  for (const part of Diff.diffArrays(old, now)) {
    if (part.removed) for (let i = 0; i < part.value.length; i++) gone.push(x++);
    else if (part.added) {
      for (let i = 0; i < part.value.length; i++) rows.push(gone.length ? ["change", gone.shift(), y++] : ["add", null, y++]);
      flush();
    } else {
      flush();
      for (let i = 0; i < part.value.length; i++) rows.push(["same", x++, y++]);
    }
  }
  flush();
  return rows;
}

/** Return the difference of one file as a table, inline or side by side. */
function difference(files, change, halves) {
  const [old, now] = [files.numbers(change.old), files.numbers(change.now)];
  if (typeof old === "string" || typeof now === "string") return h("p.note", "Not shown: ", data([old, now].filter((each) => typeof each === "string").join("; ")));
  const texts = [old, now].map((numbers) => numbers.map((at) => files.raw.lines[at]));
  const parts = texts.map((some) => tokens(some, change.path));
  const rows = lines(old, now);
  const body = h("tbody");
  const cell = (side, at, kind, marks) => h(`td.code${kind ? `.${kind}` : ""}`, at === null ? "" : painted(parts[side][at] || [["", ""]], marks));
  const number = (at) => h("td.at", at === null ? "" : String(at + 1));
  const add = ([kind, x, y]) => {
    const marks = kind === "change" ? words(texts[0][x], texts[1][y]) : [null, null];
    if (halves) {
      const [one, other] = kind === "change" ? ["del", "add"] : kind === "same" ? ["", ""] : kind === "del" ? ["del", ""] : ["", "add"];
      return [h("tr", number(x), cell(0, x, one, marks[0]), number(y), cell(1, y, other, marks[1]))];
    }
    const row = (sign, one, other, side, at, name, mark) => h("tr", number(one), number(other), h("td.sign", sign), cell(side, at, name, mark));
    if (kind === "same") return [row("", x, y, 1, y, "", null)];
    return [x !== null && row("−", x, null, 0, x, "del", marks[0]), y !== null && row("+", null, y, 1, y, "add", marks[1])].filter(Boolean);
  };
  const near = rows.map(() => false);
  rows.forEach(([kind], at) => {
    if (kind !== "same") for (let i = Math.max(0, at - SHOWN); i <= Math.min(rows.length - 1, at + SHOWN); i++) near[i] = true;
  });
  for (let at = 0; at < rows.length; at++) {
    if (near[at]) {
      // in an inline difference what went stands before what came, a run of changed lines together
      if (!halves && rows[at][0] === "change") {
        const run = [];
        while (at < rows.length && rows[at][0] === "change") run.push(add(rows[at++]));
        at--;
        body.append(...run.map(([gone]) => gone), ...run.map(([, came]) => came));
      } else body.append(...add(rows[at]));
      continue;
    }
    let end = at;
    while (end < rows.length && !near[end]) end++;
    const left = rows.slice(at, end);
    const gap = h("tr.gap", h("td", { colSpan: 4 }, h("button", { type: "button", onclick: () => gap.replaceWith(...left.flatMap(add)) }, `⋯ ${counted(left.length, "equal line")}`)));
    body.append(gap);
    at = end - 1;
  }
  const tail = [old, now].map((numbers) => Boolean(numbers.open));
  return h(`div.diff${halves ? ".halves" : ""}`, h("table", halves ? h("colgroup", [0, 1].map(() => [sized("3.6rem"), h("col")])) : null, body), tail[0] !== tail[1] && h("p.note", tail[0] ? "The old file has no line break at its end." : "The new file has no line break at its end."));
}

function sized(width) {
  const col = h("col");
  col.style.width = width;
  return col;
}

/** Return all files that two trials differ in; asks for them first where the page is live. */
function differences(before, after, name) {
  const { c } = app;
  const box = h("div");
  const state = { halves: innerWidth > 1100 };
  const missing = (at) => h("div", h("p.note", "The files of ", data(c.label[at]), " are not in this page. This shows the difference:"), command("diff", c.label[before], c.label[after]));
  const show = async () => {
    const files = await app.files([before, after]);
    if (!files.has(before)) return clear(box, missing(before));
    if (!files.has(after)) return clear(box, missing(after));
    const found = files.between(before, after);
    if (!found.length) return clear(box, h("p.note", c.unknown.has(after) ? "This row came without its code, so nobody knows what was run." : "No file differs."));
    const toggle = h("button", { type: "button", "aria-pressed": String(state.halves), onclick: () => ((state.halves = !state.halves), show()) }, "side by side");
    clear(box, h("div.tabs", toggle, h("span.soft", counted(found.length, "file"), name ? ` differ from ${name}` : "")),
      found.map((change) => {
        const sign = change.old === undefined ? "added" : change.now === undefined ? "removed" : "changed";
        const file = h("details.file", { open: found.length <= 20 }, h("summary", data(change.path), h("span.soft", sign)));
        const fill = () => file.open && file.children.length < 2 && file.append(difference(files, change, state.halves));
        file.addEventListener("toggle", fill);
        fill();
        return file;
      }));
  };
  show();
  return box;
}
