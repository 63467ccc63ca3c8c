// The classes of the picture: shares, and a switch for each.

export function percent(share) {
  if (share > 0 && share < 0.001) return "< 0.1 %";
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}

export class Legend {
  constructor({ list, absent }, onChange) {
    Object.assign(this, { list, absent, onChange });
    this.hidden = new Set(); // by name, so that a class stays off for the next photo
    this.highlight = null;
    this.classes = [];
  }

  show(classes, pixels) {
    this.classes = classes;
    const present = classes.filter((one) => one.pixels).sort((a, b) => b.pixels - a.pixels);
    this.list.replaceChildren(...present.map((one) => this.item(one, one.pixels / pixels)));
    const missing = classes.length - present.length;
    this.absent.textContent = missing ? `${missing} more not in this picture` : "";
  }

  item(one, share) {
    const button = document.createElement("button");
    button.type = "button";
    button.style.setProperty("--color", `rgb(${one.color.join(" ")})`);
    button.style.setProperty("--share", `${100 * share}%`);
    button.setAttribute("aria-pressed", !this.hidden.has(one.name));
    button.setAttribute("aria-label", `${one.name}, ${percent(share)}`);
    const parts = ["swatch", "name", "share", "meter"].map((name) => {
      const part = document.createElement("span");
      part.className = name;
      return part;
    });
    parts[1].textContent = one.name;
    parts[2].textContent = percent(share);
    parts[3].append(document.createElement("i"));
    button.append(...parts);
    button.addEventListener("click", () => this.toggle(one, button));
    for (const name of ["pointerenter", "focus"]) {
      button.addEventListener(name, (event) => {
        if (event.pointerType !== "touch") this.point(one.id);
      });
    }
    for (const name of ["pointerleave", "blur"]) {
      button.addEventListener(name, () => this.point(null));
    }
    const item = document.createElement("li");
    item.append(button);
    return item;
  }

  toggle(one, button) {
    if (!this.hidden.delete(one.name)) this.hidden.add(one.name);
    button.setAttribute("aria-pressed", !this.hidden.has(one.name));
    this.onChange();
  }

  setAll(shown) {
    this.hidden = new Set(shown ? [] : this.classes.map((one) => one.name));
    for (const button of this.list.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", shown);
    }
    this.onChange();
  }

  point(id) {
    if (this.highlight === id) return;
    this.highlight = id;
    this.onChange();
  }

  state() {
    const on = this.classes.filter((one) => !this.hidden.has(one.name)).map((one) => one.id);
    const shown = new Set(on);
    return { shown, highlight: shown.has(this.highlight) ? this.highlight : null };
  }
}
