import { originalUrl, type Photo } from "../api";
import { nameOf } from "../format";

const TYPES: Record<string, string> = {
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  png: "image/png",
  webp: "image/webp",
  gif: "image/gif",
  heic: "image/heic",
  avif: "image/avif",
  tif: "image/tiff",
  tiff: "image/tiff",
};

/** Have a photo that is dragged out of the window be its file, or its address; not the page's. */
export function dragOut(event: DragEvent, photo: Photo) {
  const { dataTransfer } = event;
  if (!dataTransfer) return;
  const name = nameOf(photo.filename);
  const address = new URL(originalUrl(photo), location.href).href;
  const ending = name.slice(name.lastIndexOf(".") + 1).toLowerCase();
  const type = TYPES[ending] ?? "application/octet-stream";
  dataTransfer.effectAllowed = "copyLink";
  dataTransfer.setData("text/uri-list", address);
  dataTransfer.setData("text/plain", address);
  // Colons and line breaks would end the name.
  dataTransfer.setData("DownloadURL", `${type}:${name.replace(/[:\r\n]/g, "_")}:${address}`);
}
