// What every view is made of: elements, texts, numbers, glyphs, copying. Nothing here, or anywhere in the page, makes HTML
// of a text: whatever comes from trials becomes a text node, inside <bdi> so that its direction stays its own.

const SVG = "http://www.w3.org/2000/svg";

/** Return an element: h("a.soft", {href: "#x", onclick: f}, "text", element, [more]). */
function h(name, ...rest) {
  const [tag, ...classes] = name.split(".");
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(" ");
  if (rest.length && rest[0] !== null && typeof rest[0] === "object" && !(rest[0] instanceof Node) && !Array.isArray(rest[0])) {
    for (const [key, value] of Object.entries(rest.shift())) {
      if (value === false || value === null || value === undefined) continue;
      if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else if (key in node && key !== "list") node[key] = value;
      else node.setAttribute(key, value === true ? "" : value);
    }
  }
  node.append(...rest.flat(3).filter((kid) => kid !== null && kid !== undefined && kid !== false));
  return node;
}

/** Return a text of a trial: whatever it holds, it is shown as text, and its direction touches nothing around it. */
const data = (text) => h("bdi", String(text));

const link = (view, name) => `#${view}/${encodeURIComponent(name)}`;
const clear = (node, ...kids) => (node.replaceChildren(...kids.flat(3).filter((kid) => kid !== null && kid !== undefined && kid !== false)), node);
const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

/** Return a number as people read it: six digits, without trailing noise. */
function figure(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return String(Number(value.toPrecision(6)));
  return String(Number(value.toPrecision(6)));
}

/** Return seconds as people read them: 42 s, 3:07, 1:02:03. */
function duration(seconds) {
  const two = (value) => String(value).padStart(2, "0");
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds % 60)];
  if (seconds < 60) return `${rest} s`;
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

const percent = (share) => (share === null ? "" : `${Math.round(share * 100)}%`);
const median = (sorted) => (sorted.length % 2 ? sorted[(sorted.length - 1) / 2] : (sorted[sorted.length / 2 - 1] + sorted[sorted.length / 2]) / 2);
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Return the standard deviation of some values (with n-1), null of fewer than two. */
function spread(values) {
  if (values.length < 2) return null;
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1));
}

// How statuses look: a colour, and a shape for whoever sees none.
const LOOKS = {
  keep: ["keep", "disc"], baseline: ["baseline", "square"], discard: ["discard", "cross"], disqualified: ["dq", "diamond"],
  harness_abort: ["abort", "dash"], pending: ["pending", "ring"], retracted: ["abort", "dash"],
};
const look = (status) => LOOKS[status] || ["died", "plus"];
const SHAPES = {
  disc: "M6 2a4 4 0 1 0 .01 0z", square: "M2.5 2.5h7v7h-7z", cross: "M3 3l6 6M9 3l-6 6", diamond: "M6 1.5L10.5 6L6 10.5L1.5 6z",
  plus: "M6 2v8M2 6h8", dash: "M2.5 6h7", ring: "M6 2.6a3.4 3.4 0 1 0 .01 0z",
};
const FILLED = new Set(["disc", "square", "diamond"]);

/** Return a status's shape as a small picture. */
function glyph(status) {
  const [, shape] = look(status);
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 12 12", class: "glyph", "aria-hidden": "true" })) svg.setAttribute(key, value);
  const path = document.createElementNS(SVG, "path");
  const filled = FILLED.has(shape);
  for (const [key, value] of Object.entries({ d: SHAPES[shape], fill: filled ? "currentColor" : "none", stroke: "currentColor", "stroke-width": filled ? 0 : 1.8 })) path.setAttribute(key, value);
  svg.append(path);
  return svg;
}

const badge = (status) => h(`span.badge.s-${look(status)[0]}`, glyph(status), h("span", status));
const TINTS = ["bg", "panel", "ink", "soft", "line", "accent", "keep", "baseline", "discard", "died", "abort", "dq", "pending"];

/** Return the theme's colours by name. */
function colours() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(TINTS.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/** Copy a text, also where the clipboard is closed to files, and say so on the button. */
async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h("textarea", { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  const said = button.textContent;
  button.textContent = "copied";
  setTimeout(() => (button.textContent = said), 1200);
}

/** Return a command as it is to be typed, with a button that copies it. */
function command(...words) {
  const quoted = words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`));
  const text = ["gitlineage", ...quoted].join(" ");
  return h("div.cmd", h("code", data(text)), h("button", { type: "button", onclick: (event) => copy(text, event.target) }, "copy"));
}

const tip = {
  show(event, ...kids) {
    const node = document.getElementById("tip");
    clear(node, ...kids);
    node.hidden = false;
    const x = Math.min(event.clientX + 14, innerWidth - node.offsetWidth - 8);
    const y = event.clientY + 16 + node.offsetHeight > innerHeight ? event.clientY - node.offsetHeight - 10 : event.clientY + 16;
    node.style.left = `${Math.max(4, x)}px`;
    node.style.top = `${Math.max(4, y)}px`;
  },
  hide() {
    document.getElementById("tip").hidden = true;
  },
};
