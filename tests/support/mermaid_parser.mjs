// Reads flowcharts, each a JSON string on a line, and answers each with what the real Mermaid makes of it.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(process.argv[2] + "/");
const { JSDOM } = require("jsdom");
globalThis.window = new JSDOM("<!DOCTYPE html><body></body>").window;
globalThis.document = window.document;
const entry = process.argv[2] + "/node_modules/mermaid/dist/mermaid.core.mjs";
const { default: mermaid } = await import(pathToFileURL(entry));
mermaid.initialize({ startOnLoad: false });

async function read(text) {
  const { db, type } = await mermaid.mermaidAPI.getDiagramFromText(text);
  return {
    type,
    nodes: [...db.getVertices().values()].map(({ id, text, classes }) => ({ id, text, classes })),
    edges: db.getEdges().map(({ start, end, text, stroke }) => ({ start, end, text, stroke })),
    groups: db.getSubGraphs().map(({ id, title, nodes }) => ({ id, title, nodes })),
    classes: Object.fromEntries([...db.getClasses()].map(([name, { styles }]) => [name, styles])),
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = await read(JSON.parse(line));
  } catch (error) {
    answer = { error: String(error) };
  }
  console.log(JSON.stringify(answer));
}
