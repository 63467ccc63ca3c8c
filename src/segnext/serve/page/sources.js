// Where photos come from: a file, a drop, the clipboard, the camera.

const find = (id) => document.getElementById(id);

export function listenForPhotos(onPhoto, onError) {
  const input = find("file");
  find("open").addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    if (input.files.length) onPhoto(input.files[0]);
    input.value = "";
  });
  listenForDrops(onPhoto);
  document.addEventListener("paste", (event) => {
    const file = [...event.clipboardData.files].find((one) => one.type.startsWith("image/"));
    if (!file) return;
    event.preventDefault();
    onPhoto(file);
  });
  listenForCamera(onPhoto, onError);
}

function listenForDrops(onPhoto) {
  let depth = 0;
  const mark = () => document.body.classList.toggle("dropping", depth > 0);
  document.addEventListener("dragenter", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    depth += 1;
    mark();
  });
  document.addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    mark();
  });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    mark();
    if (event.dataTransfer.files.length) onPhoto(event.dataTransfer.files[0]);
  });
}

function listenForCamera(onPhoto, onError) {
  const dialog = find("camera-dialog");
  const video = find("video");
  const stop = () => {
    for (const track of video.srcObject?.getTracks() ?? []) track.stop();
    video.srcObject = null;
  };
  find("camera").addEventListener("click", async () => {
    if (!navigator.mediaDevices) {
      onError("Browsers give the camera to https and localhost only; open a photo instead.");
      return;
    }
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: "environment", width: { ideal: 1920 } },
      });
      dialog.showModal();
    } catch {
      onError("No camera can be used; allow it in the browser, or open a photo instead.");
    }
  });
  dialog.addEventListener("close", stop);
  find("camera-close").addEventListener("click", () => dialog.close());
  find("shoot").addEventListener("click", () => {
    if (!video.videoWidth) return;
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob((blob) => {
      dialog.close();
      onPhoto(new File([blob], "camera.jpg", { type: "image/jpeg" }));
    }, "image/jpeg", 0.92);
  });
}
