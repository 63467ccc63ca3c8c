// Files to what can be drawn, and to what the server takes.

export function fromBase64(text, type) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Blob([bytes], { type });
}

// Colours are left as stored: the server reads them so, too. EXIF turns the picture upright.
export async function decode(blob) {
  return createImageBitmap(blob, { colorSpaceConversion: "none" });
}

// Photos beyond the server's limits are made smaller here, which is said.
export async function fit(file, limits) {
  let bitmap;
  try {
    bitmap = await decode(file);
  } catch {
    return { photo: file, bitmap: null, shrunk: false }; // such as TIFF, which the server may know
  }
  const pixels = bitmap.width * bitmap.height;
  if (pixels <= limits.pixels && file.size <= limits.bytes) {
    return { photo: file, bitmap, shrunk: false };
  }
  const factor = Math.min(1, Math.sqrt(limits.pixels / pixels));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.floor(bitmap.width * factor));
  canvas.height = Math.max(1, Math.floor(bitmap.height * factor));
  const pen = canvas.getContext("2d");
  pen.imageSmoothingQuality = "high";
  pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const photo = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
  return { photo, bitmap: await decode(photo), shrunk: true };
}
