// The canvas: photo and layer, the border between them, zoom, and what lies under the pointer.

const CLOSEST = 40; // screen pixels for a pixel of the picture

export class Viewer {
  constructor({ frame, canvas, divider, zoomLabel }, onPixel) {
    Object.assign(this, { frame, canvas, divider, zoomLabel, onPixel });
    this.pen = canvas.getContext("2d");
    this.photo = this.layer = null;
    this.opacity = 0.7;
    this.border = 0.5;
    this.scale = 1;
    this.left = this.top = 0;
    this.fitted = true;
    this.cursor = null;
    this.pointers = new Map();
    new ResizeObserver(() => this.resize()).observe(frame);
    this.listen();
  }

  show(photo, layer) {
    const sameSize =
      this.photo && photo.width === this.photo.width && photo.height === this.photo.height;
    this.photo = photo;
    this.layer = layer;
    if (!sameSize) {
      this.cursor = null;
      this.fit();
    }
    this.draw();
  }

  setLayer(layer) {
    this.layer = layer;
    this.draw();
  }

  setOpacity(share) {
    this.opacity = share;
    this.draw();
  }

  setBorder(share) {
    this.border = Math.min(1, Math.max(0, share));
    this.draw();
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    this.width = this.frame.clientWidth;
    this.height = this.frame.clientHeight;
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.ratio = ratio;
    if (this.fitted) this.fit();
    this.draw();
  }

  fitScale() {
    return Math.min(this.width / this.photo.width, this.height / this.photo.height);
  }

  fit() {
    if (!this.photo) return;
    this.scale = this.fitScale();
    this.fitted = true;
    this.settle();
    this.draw();
  }

  zoom(factor, x = this.width / 2, y = this.height / 2) {
    if (!this.photo) return;
    const least = Math.min(this.fitScale(), 1);
    const scale = Math.min(CLOSEST, Math.max(least, this.scale * factor));
    this.left = x - ((x - this.left) * scale) / this.scale;
    this.top = y - ((y - this.top) * scale) / this.scale;
    this.scale = scale;
    this.fitted = Math.abs(scale - this.fitScale()) < 1e-6;
    this.settle();
    this.draw();
  }

  // The picture stays in sight: centred where it is smaller than the frame, without gaps else.
  settle() {
    const place = (offset, frame, size) =>
      size <= frame ? (frame - size) / 2 : Math.min(0, Math.max(frame - size, offset));
    this.left = place(this.left, this.width, this.photo.width * this.scale);
    this.top = place(this.top, this.height, this.photo.height * this.scale);
  }

  borderX() {
    const from = Math.max(0, this.left);
    const to = Math.min(this.width, this.left + this.photo.width * this.scale);
    return from + this.border * (to - from);
  }

  draw() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.paint();
    });
  }

  paint() {
    const { pen, photo, layer, ratio } = this;
    if (!photo || !ratio) return;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const border = this.borderX();
    pen.setTransform(ratio * this.scale, 0, 0, ratio * this.scale, ratio * this.left, ratio * this.top);
    pen.imageSmoothingEnabled = this.scale < 2;
    pen.drawImage(photo, 0, 0);
    if (layer) {
      pen.save();
      const start = (border - this.left) / this.scale;
      pen.beginPath();
      pen.rect(start, 0, photo.width - start, photo.height);
      pen.clip();
      pen.globalAlpha = this.opacity;
      pen.imageSmoothingEnabled = false; // labels have no values between
      pen.drawImage(layer, 0, 0, photo.width, photo.height);
      pen.restore();
    }
    if (this.cursor) this.paintCursor();
    this.divider.style.left = `${border}px`;
    const percent = Math.round(100 * this.border);
    this.divider.setAttribute("aria-valuenow", percent);
    this.divider.setAttribute("aria-valuetext", `${percent} % photo, ${100 - percent} % labels`);
    this.zoomLabel.textContent = this.fitted ? "Fit" : `${Math.round(100 * this.scale)} %`;
  }

  paintCursor() {
    const { pen } = this;
    const { x, y } = this.cursor;
    const arm = 9 / this.scale;
    const width = 1.5 / this.scale;
    for (const [color, line] of [["#000", 3 * width], ["#fff", width]]) {
      pen.strokeStyle = color;
      pen.lineWidth = line;
      pen.beginPath();
      pen.moveTo(x + 0.5 - arm, y + 0.5);
      pen.lineTo(x + 0.5 + arm, y + 0.5);
      pen.moveTo(x + 0.5, y + 0.5 - arm);
      pen.lineTo(x + 0.5, y + 0.5 + arm);
      pen.stroke();
    }
  }

  pixelAt(x, y) {
    if (!this.photo) return null;
    const column = Math.floor((x - this.left) / this.scale);
    const row = Math.floor((y - this.top) / this.scale);
    const inside = column >= 0 && row >= 0 && column < this.photo.width && row < this.photo.height;
    return inside ? { x: column, y: row } : null;
  }

  screenOf({ x, y }) {
    return { x: this.left + (x + 0.5) * this.scale, y: this.top + (y + 0.5) * this.scale };
  }

  place(event) {
    const box = this.frame.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  listen() {
    const { canvas, divider } = this;
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const { x, y } = this.place(event);
      this.zoom(Math.exp(-event.deltaY / 300), x, y);
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, this.place(event));
      this.report(event);
    });
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(name, (event) => {
        this.pointers.delete(event.pointerId);
        canvas.classList.remove("moving");
      });
    }
    canvas.addEventListener("pointerleave", () => this.onPixel(null, null, false));
    canvas.addEventListener("dblclick", (event) => {
      const { x, y } = this.place(event);
      this.zoom(2, x, y);
    });
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => {
      this.cursor = null;
      this.onPixel(null, null, false);
      this.draw();
    });
    divider.addEventListener("pointerdown", (event) => {
      divider.setPointerCapture(event.pointerId);
      event.preventDefault();
      divider.focus({ focusVisible: false });
    });
    divider.addEventListener("pointermove", (event) => {
      if (divider.hasPointerCapture(event.pointerId)) this.dragBorder(this.place(event).x);
      else this.report(event);
    });
    divider.addEventListener("pointerleave", () => this.onPixel(null, null, false));
    divider.addEventListener("wheel", (event) => {
      event.preventDefault();
      const { x, y } = this.place(event);
      this.zoom(Math.exp(-event.deltaY / 300), x, y);
    }, { passive: false });
    divider.addEventListener("keydown", (event) => this.keyBorder(event));
  }

  dragBorder(x) {
    if (!this.photo) return;
    const from = Math.max(0, this.left);
    const to = Math.min(this.width, this.left + this.photo.width * this.scale);
    this.setBorder((x - from) / (to - from));
  }

  keyBorder(event) {
    const step = event.shiftKey ? 0.1 : 0.02;
    const moves = { ArrowLeft: -step, ArrowDown: -step, ArrowRight: step, ArrowUp: step };
    const ends = { Home: 0, End: 1 };
    if (event.key in moves) this.setBorder(this.border + moves[event.key]);
    else if (event.key in ends) this.setBorder(ends[event.key]);
    else return;
    event.preventDefault();
  }

  move(event) {
    const now = this.place(event);
    const before = this.pointers.get(event.pointerId);
    if (before) {
      const others = [...this.pointers].filter(([id]) => id !== event.pointerId);
      if (others.length) {
        const still = others[0][1];
        const span = (one) => Math.hypot(one.x - still.x, one.y - still.y) || 1;
        this.zoom(span(now) / span(before), (now.x + still.x) / 2, (now.y + still.y) / 2);
      } else if (this.photo) {
        this.canvas.classList.add("moving");
        this.left += now.x - before.x;
        this.top += now.y - before.y;
        this.settle();
        this.draw();
      }
      this.pointers.set(event.pointerId, now);
    }
    this.report(event);
  }

  report(event) {
    const place = this.place(event);
    this.onPixel(this.pixelAt(place.x, place.y), place, false);
  }

  key(event) {
    const zooms = { "+": 1.4, "=": 1.4, "-": 1 / 1.4 };
    const step = event.shiftKey ? 10 : 1;
    const moves = {
      ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step],
    };
    if (event.key in zooms) this.zoom(zooms[event.key]);
    else if (event.key === "0") this.fit();
    else if (event.key in moves && this.photo) this.moveCursor(moves[event.key]);
    else return;
    event.preventDefault();
  }

  moveCursor([dx, dy]) {
    const { photo } = this;
    const start = this.cursor ?? this.pixelAt(this.width / 2, this.height / 2) ?? { x: 0, y: 0 };
    // A step is a pixel of the screen at least, so that large pictures can be crossed.
    const step = Math.max(1, Math.round(2 / this.scale));
    this.cursor = {
      x: Math.min(photo.width - 1, Math.max(0, start.x + dx * step)),
      y: Math.min(photo.height - 1, Math.max(0, start.y + dy * step)),
    };
    const seen = this.screenOf(this.cursor);
    this.left += Math.min(0, this.width - 24 - seen.x) + Math.max(0, 24 - seen.x);
    this.top += Math.min(0, this.height - 24 - seen.y) + Math.max(0, 24 - seen.y);
    this.settle();
    this.draw();
    this.onPixel(this.cursor, this.screenOf(this.cursor), true);
  }
}
