// The OpenAPI document, readable.

import { writeCurl } from "./snippets.js";

function make(tag, text = "", className = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = className;
  return element;
}

function makeTable(title, rows) {
  if (!rows.length) return [];
  const table = make("table");
  for (const [name, ...texts] of rows) {
    const row = make("tr");
    const head = make("th");
    head.scope = "row";
    head.append(make("code", name));
    row.append(head, ...texts.map((text) => make("td", text)));
    table.append(row);
  }
  return [make("h3", title), table];
}

function describe(schema = {}) {
  const values = schema.enum ? schema.enum.join(" | ") : schema.type ?? "";
  const bounds = schema.maximum === undefined ? "" : ` ${schema.minimum} to ${schema.maximum}`;
  const usual = schema.default === undefined ? "" : `, ${schema.default} by default`;
  return `${values}${bounds}${usual}`;
}

function makeRoute(path, method, route) {
  const section = make("section");
  const title = make("h2");
  title.append(make("span", method.toUpperCase(), "method"), make("code", path), make("span", route.summary ?? ""));
  section.append(title);
  const query = (route.parameters ?? []).map((one) => [one.name, describe(one.schema), one.description ?? ""]);
  section.append(...makeTable("Query", query));
  for (const [type, { schema }] of Object.entries(route.requestBody?.content ?? {})) {
    const fields = Object.entries(schema.properties ?? {});
    section.append(...makeTable(`Body, ${type}`, fields.map(([name, one]) => [name, one.description ?? one.type])));
  }
  const answers = Object.entries(route.responses ?? {});
  section.append(...makeTable("Answers", answers.map(([status, one]) => [status, one.description])));
  return section;
}

document.getElementById("first").textContent = writeCurl(location.origin, "photo.jpg", false);
const routes = document.getElementById("routes");
try {
  const document_ = await (await fetch("/openapi.json")).json();
  for (const [path, methods] of Object.entries(document_.paths)) {
    for (const [method, route] of Object.entries(methods)) {
      routes.append(makeRoute(path, method, route));
    }
  }
} catch {
  routes.append(make("p", "The server does not answer.", "alert"));
}
