import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "../Icon";
import { texts } from "../texts";
import { linkIn } from "./links";
import "./PhotoDrop.css";

type Props = { onPhotos: (files: File[]) => void; onLink: (link: URL) => void };

/** Hand photos on that were brought, or the link to one; whether there were any. */
function bring(data: DataTransfer, { onPhotos, onLink }: Props): boolean {
  if (data.files.length > 0) {
    onPhotos([...data.files]);
    return true;
  }
  const text = data.getData("text/uri-list") || data.getData("text/plain");
  const link = linkIn(text.split(/\r?\n/).find((line) => line && !line.startsWith("#")) ?? "");
  if (link) onLink(link);
  return link !== null;
}

/** Takes a photo that is dropped anywhere, or pasted, and shows while one is held over the page. */
export function PhotoDrop(props: Props) {
  const [over, setOver] = useState(false);
  const take = useRef(props);
  take.current = props;

  useEffect(() => {
    const listening = new AbortController();
    const on = <K extends keyof DocumentEventMap>(
      type: K,
      listener: (event: DocumentEventMap[K]) => void,
    ) => document.addEventListener(type, listener, { signal: listening.signal });

    let ours = false; // a photo of this page that is being dragged is none to bring
    const isPhoto = ({ dataTransfer }: DragEvent) =>
      !ours && ["Files", "text/uri-list"].some((type) => dataTransfer?.types.includes(type));

    on("dragstart", () => (ours = true));
    on("dragend", () => (ours = false));
    on("dragover", (event) => {
      if (!isPhoto(event)) return;
      event.preventDefault();
      setOver(true);
    });
    on("dragleave", ({ relatedTarget }) => relatedTarget || setOver(false));
    on("drop", (event) => {
      if (!isPhoto(event)) return;
      event.preventDefault();
      setOver(false);
      bring(event.dataTransfer!, take.current);
    });
    on("paste", (event) => {
      const { clipboardData, target } = event;
      const isText = clipboardData?.types.includes("text/plain");
      const isBox = target instanceof Element && target.id === "q";
      const isField = target instanceof Element && target.closest("input, textarea") !== null;
      // Text that has a picture as well is text, unless it is the link to one.
      if (!clipboardData || (isField && !isBox)) return;
      if (isText && !linkIn(clipboardData.getData("text/plain"))) return;
      if (bring(clipboardData, take.current)) event.preventDefault();
    });
    return () => listening.abort();
  }, []);

  if (!over) return null;
  return (
    <div class="drop">
      <p>
        <Icon name="photo" />
        {texts.dropPhoto}
      </p>
    </div>
  );
}
