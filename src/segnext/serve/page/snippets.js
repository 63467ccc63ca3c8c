// The request that this page made, for a terminal or a program.

const quoteShell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

export function writeCurl(origin, name, needsToken) {
  const lines = [`curl -F ${quoteShell(`image=@${name}`)}`];
  if (needsToken) lines.push('-H "Authorization: Bearer $SEGNEXT_TOKEN"');
  lines.push(quoteShell(`${origin}/v1/predict?output=mask`), "-o mask.png");
  return lines.join(" \\\n  ");
}

export function writePython(origin, name, needsToken) {
  const token = needsToken
    ? '\n        headers={"Authorization": f"Bearer {os.environ[\'SEGNEXT_TOKEN\']}"},'
    : "";
  return `${needsToken ? "import os\n" : ""}import requests

with open(${JSON.stringify(name)}, "rb") as photo:
    answer = requests.post(
        "${origin}/v1/predict",
        params={"output": "mask"},
        files={"image": photo},${token}
    )
answer.raise_for_status()
with open("mask.png", "wb") as mask:
    mask.write(answer.content)`;
}

export async function copyText(text, element) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Not in a secure context: what is selected can be copied by hand.
    const range = document.createRange();
    range.selectNodeContents(element);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    return document.execCommand("copy");
  }
  return true;
}
