// Puts the page together.

import { ApiError, hasToken, loadExample, loadModel, predict, setToken } from "./api.js";
import { formatTime, showModel, showTimes } from "./facts.js";
import { expandRuns, paintConfidence, paintLabels } from "./layers.js";
import { Legend, percent } from "./legend.js";
import { decode, fit, fromBase64 } from "./pictures.js";
import { copyText, writeCurl, writePython } from "./snippets.js";
import { listenForPhotos } from "./sources.js";
import { Viewer } from "./viewer.js";

const find = (id) => document.getElementById(id);
const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`).value;

const LARGE = 4_000_000; // pixels beyond which pointing at a class does not repaint
let model = null;
let current = null; // the photo on show: file, name, report, labels, layers
let running = null;

const legend = new Legend({ list: find("legend"), absent: find("absent") }, () => repaint());
const viewer = new Viewer(
  { frame: find("frame"), canvas: find("canvas"), divider: find("divider"), zoomLabel: find("zoom-fit") },
  showPixel,
);

function fail(error) {
  if (error.name === "AbortError") return;
  find("alert").textContent = error.message ?? String(error);
  find("alert").hidden = false;
  find("status").textContent = "";
  if (error.status === 401) {
    find("token-form").hidden = false;
    find("token").focus();
  }
}

function clearAlert() {
  find("alert").hidden = true;
}

function layerOnShow() {
  if (chosen("layer") === "confidence" && current.confidence) return current.confidence.canvas;
  const state = legend.state();
  if (current.labels.length > LARGE) state.highlight = null;
  const key = JSON.stringify([[...state.shown], state.highlight]);
  if (current.key !== key) {
    const { width, height, classes } = current.report;
    current.painted = paintLabels(current.labels, width, height, classes, state);
    current.key = key;
  }
  return current.painted;
}

function repaint() {
  if (current) viewer.setLayer(layerOnShow());
}

async function showReport(report, bitmap, { photo, name, total }) {
  const size = report.width * report.height;
  const next = { report, photo, name, labels: expandRuns(report.runs, size), confidence: null };
  if (report.confidence) {
    next.confidence = paintConfidence(await decode(fromBase64(report.confidence, "image/png")));
  }
  current = next;
  document.querySelector('input[value="confidence"]').disabled = !next.confidence;
  legend.show(report.classes, size);
  viewer.show(bitmap, layerOnShow());
  showTimes(find("times"), report.milliseconds, total);
  showCode();
  const largest = report.classes.filter((one) => one.pixels).sort((a, b) => b.pixels - a.pixels);
  const shares = largest.slice(0, 3).map((one) => `${one.name} ${percent(one.pixels / size)}`);
  find("canvas").setAttribute("aria-label", `${name}: ${shares.join(", ")}`);
  const network = formatTime(report.milliseconds.network);
  const took = total === null ? `network ${network}` : `${formatTime(total)}, network ${network}`;
  find("status").textContent = `${report.width} × ${report.height} px · ${took}`;
}

async function segment(file) {
  running?.abort();
  const mine = (running = new AbortController());
  clearAlert();
  find("busy").hidden = false;
  find("status").textContent = "Segmenting";
  try {
    const limits = model?.limits ?? { pixels: Infinity, bytes: Infinity };
    const { photo, bitmap, shrunk } = await fit(file, limits);
    const name = file.name || "pasted.png";
    const begin = performance.now();
    const ask = (picture) =>
      predict(photo, name, { output: "report", picture, signal: mine.signal });
    let report = await (await ask(!bitmap)).json();
    const total = performance.now() - begin;
    let seen = bitmap;
    if (!seen || seen.width !== report.width || seen.height !== report.height) {
      if (!report.picture) report = await (await ask(true)).json();
      seen = await decode(fromBase64(report.picture, "image/png"));
    }
    if (mine.signal.aborted) return;
    await showReport(report, seen, { photo, name, total });
    if (shrunk) find("status").textContent += " · made smaller to fit this server's limit";
  } catch (error) {
    fail(error);
  } finally {
    if (running === mine) find("busy").hidden = true;
  }
}

async function start() {
  clearAlert();
  try {
    model = await loadModel();
    find("token-form").hidden = true;
    showModel(find("model"), find("identity"), model);
    document.title = `${model.name} · segnext`;
    await showExample();
  } catch (error) {
    fail(error);
  }
}

async function showExample() {
  find("busy").hidden = false;
  try {
    const example = await waitForExample();
    if (current) return; // somebody was faster with a photo
    if (!example) {
      find("status").textContent = "Open, drop or paste a photo";
      return;
    }
    const photo = fromBase64(example.picture, "image/png");
    const name = "example.png";
    await showReport(example, await decode(photo), { photo, name, total: null });
    find("status").textContent += " · a synthetic scene";
  } finally {
    if (!running) find("busy").hidden = true;
  }
}

async function waitForExample() {
  for (;;) {
    try {
      return await loadExample();
    } catch (error) {
      if (error.status === 404) return null;
      if (!(error instanceof ApiError) || error.status !== 503) throw error;
      await new Promise((done) => setTimeout(done, 500));
    }
  }
}

let speaking = 0;
function showPixel(pixel, place, byKeys) {
  const box = find("pixel");
  box.hidden = !pixel || !current;
  if (box.hidden) return;
  const index = pixel.y * current.report.width + pixel.x;
  const one = current.report.classes[current.labels[index]];
  const swatch = document.createElement("span");
  swatch.className = "swatch";
  swatch.style.setProperty("--color", `rgb(${one.color.join(" ")})`);
  const sure = current.confidence ? ` ${Math.round(current.confidence.grey[index] / 2.55)} %` : "";
  const small = document.createElement("small");
  small.textContent = `${sure ? `${sure.trim()} · ` : ""}${pixel.x}, ${pixel.y}`;
  box.replaceChildren(swatch, one.name, small);
  const away = 14 + (byKeys ? viewer.scale / 2 : 0); // beside a pixel that may be large itself
  const flipX = place.x > viewer.width - box.offsetWidth - away - 10;
  const flipY = place.y > viewer.height - box.offsetHeight - away - 10;
  box.style.left = `${Math.max(4, flipX ? place.x - box.offsetWidth - away : place.x + away)}px`;
  box.style.top = `${Math.max(4, flipY ? place.y - box.offsetHeight - away : place.y + away)}px`;
  if (!byKeys) return;
  clearTimeout(speaking);
  speaking = setTimeout(() => {
    find("spoken").textContent = `${one.name}${sure}, column ${pixel.x}, row ${pixel.y}`;
  }, 250);
}

function showCode() {
  const write = chosen("code") === "curl" ? writeCurl : writePython;
  find("code").textContent = write(location.origin, current?.name ?? "photo.jpg", hasToken());
}

const ENDINGS = { polygons: "coco.json", geojson: "geojson" };

async function download(output) {
  if (!current) return;
  clearAlert();
  try {
    const alpha = Number(find("opacity").value) / 100;
    const response = await predict(current.photo, current.name, { output, alpha });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await response.blob());
    const stem = current.name.replace(/\.[^.]*$/, "");
    link.download = `${stem}.${ENDINGS[output] ?? `${output}.png`}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  } catch (error) {
    fail(error);
  }
}

listenForPhotos(segment, (message) => fail(new Error(message)));
find("opacity").addEventListener("input", (event) => {
  find("opacity-value").textContent = `${event.target.value} %`;
  viewer.setOpacity(event.target.value / 100);
});
for (const radio of document.querySelectorAll('input[name="layer"]')) {
  radio.addEventListener("change", () => {
    const confidence = chosen("layer") === "confidence";
    find("ramp").hidden = !confidence;
    find("side-layer").textContent = confidence ? "Confidence" : "Labels";
    repaint();
  });
}
for (const radio of document.querySelectorAll('input[name="code"]')) {
  radio.addEventListener("change", showCode);
}
for (const button of document.querySelectorAll("[data-download]")) {
  button.addEventListener("click", () => download(button.dataset.download));
}
find("all").addEventListener("click", () => legend.setAll(true));
find("none").addEventListener("click", () => legend.setAll(false));
find("zoom-in").addEventListener("click", () => viewer.zoom(1.6));
find("zoom-out").addEventListener("click", () => viewer.zoom(1 / 1.6));
find("zoom-fit").addEventListener("click", () => viewer.fit());
find("copy").addEventListener("click", async () => {
  const copied = await copyText(find("code").textContent, find("code"));
  find("copy").textContent = copied ? "Copied" : "Press Ctrl+C";
  setTimeout(() => { find("copy").textContent = "Copy"; }, 1500);
});
find("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  setToken(find("token").value);
  start();
});
showCode();
start();
