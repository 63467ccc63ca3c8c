// Lists of names and values: the times of a request, and what the model says about itself.

function pair(name, ...values) {
  const term = document.createElement("dt");
  term.textContent = name;
  const value = document.createElement("dd");
  value.append(...values);
  return [term, value];
}

const NAMES = { queue: "Waiting", decode: "Decoding", network: "Network", draw: "Drawing" };

export function showTimes(list, milliseconds, total) {
  const parts = Object.entries(milliseconds).map(([key, value]) => [NAMES[key] ?? key, value]);
  const served = parts.reduce((sum, [, value]) => sum + value, 0);
  if (total !== null) parts.push(["Transfer", Math.max(0, total - served)]);
  const whole = total ?? served;
  const rows = parts.map(([name, value]) => {
    const row = document.createElement("div");
    const bar = document.createElement("i");
    bar.style.setProperty("--share", `${(100 * value) / whole}%`);
    const [term, number] = pair(name, formatTime(value));
    row.append(term, bar, number);
    return row;
  });
  const sum = document.createElement("div");
  sum.className = "sum";
  const [term, number] = pair("In all", formatTime(whole));
  sum.append(term, document.createElement("span"), number);
  list.replaceChildren(...rows, sum);
}

export function formatTime(milliseconds) {
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toFixed(2)} s`;
  return `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`;
}

export function showModel(list, identity, model) {
  const print = document.createElement("code");
  print.textContent = model.fingerprint.slice(0, 12);
  print.title = model.fingerprint;
  const score = model.score?.miou;
  list.replaceChildren(
    ...pair("Weights", model.name),
    ...pair("Network", model.model),
    ...pair("SHA-256", print),
    ...pair("Classes", String(model.classes.length)),
    ...(score ? pair("mIoU", `${(100 * score).toFixed(1)} %`) : []),
    ...pair("Runs in", model.backend),
    ...pair("Protocol", model.protocol),
    ...pair("Terms", model.license),
  );
  const name = document.createElement("b");
  name.textContent = model.name;
  identity.replaceChildren(name, ` · ${model.classes.length} classes · ${model.backend}`);
}
