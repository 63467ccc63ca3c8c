// A report's runs and confidence as layers to draw over the photo.

const RAMP = [[48, 18, 59], [123, 45, 107], [200, 85, 77], [240, 160, 60], [247, 240, 181]];

export function expandRuns(runs, size) {
  const labels = new Uint16Array(size);
  let place = 0;
  for (let index = 0; index < runs.length; index += 2) {
    labels.fill(runs[index], place, place + runs[index + 1]);
    place += runs[index + 1];
  }
  return labels;
}

function blank(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

// Classes that are switched off are left out; beside a highlighted one, the others step back.
export function paintLabels(labels, width, height, classes, { shown, highlight }) {
  const table = new Uint32Array(65536);
  for (const { id, color } of classes) {
    if (!shown.has(id)) continue;
    const alpha = highlight === null || highlight === id ? 255 : 70;
    table[id] = ((alpha << 24) | (color[2] << 16) | (color[1] << 8) | color[0]) >>> 0;
  }
  const canvas = blank(width, height);
  const image = new ImageData(width, height);
  const words = new Uint32Array(image.data.buffer);
  for (let index = 0; index < labels.length; index += 1) words[index] = table[labels[index]];
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

export function paintConfidence(bitmap) {
  const { width, height } = bitmap;
  const canvas = blank(width, height);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(bitmap, 0, 0);
  const image = pen.getImageData(0, 0, width, height);
  const grey = new Uint8Array(width * height);
  const table = ramp();
  for (let index = 0; index < grey.length; index += 1) {
    grey[index] = image.data[4 * index];
    image.data.set(table[grey[index]], 4 * index);
  }
  pen.putImageData(image, 0, 0);
  return { canvas, grey };
}

function ramp() {
  return Array.from({ length: 256 }, (_, value) => {
    const place = (value / 255) * (RAMP.length - 1);
    const low = Math.min(Math.floor(place), RAMP.length - 2);
    const part = place - low;
    return RAMP[low].map((from, band) => Math.round(from + part * (RAMP[low + 1][band] - from)));
  });
}
