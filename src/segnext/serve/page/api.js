// The server's API. A token lives in this page's memory only.

let token = "";

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export function setToken(value) {
  token = value.trim();
}

export function hasToken() {
  return token !== "";
}

async function ask(path, options = {}) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The server does not answer. Does it still run?");
  }
  if (response.ok) return response;
  let message = `The server answered ${response.status}.`;
  try {
    message = (await response.json()).error;
  } catch {
    // A proxy's answer may be anything.
  }
  throw new ApiError(response.status, message);
}

export async function loadModel() {
  return (await ask("/v1/model")).json();
}

export async function loadExample() {
  return (await ask("/v1/example")).json();
}

export async function predict(photo, name, { output, picture = false, alpha = 0.5, signal }) {
  const body = new FormData();
  body.append("image", photo, name);
  const query = new URLSearchParams({ output, picture, alpha });
  return ask(`/v1/predict?${query}`, { method: "POST", body, signal });
}
