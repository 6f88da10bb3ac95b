import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "../Icon";
import { texts } from "../texts";
import "./PhotoDrop.css";

/** Takes a photo that is dropped anywhere, or pasted, and shows while one is held over the page. */
export function PhotoDrop({ onPhoto }: { onPhoto: (file: File) => void }) {
  const [over, setOver] = useState(false);
  const take = useRef(onPhoto);
  take.current = onPhoto;

  useEffect(() => {
    const listening = new AbortController();
    const on = <K extends keyof DocumentEventMap>(
      type: K,
      listener: (event: DocumentEventMap[K]) => void,
    ) => document.addEventListener(type, listener, { signal: listening.signal });

    let ours = false; // a photo of this page that is being dragged is no file to bring
    const holdsFile = (event: DragEvent) => !ours && event.dataTransfer?.types.includes("Files");

    on("dragstart", () => (ours = true));
    on("dragend", () => (ours = false));
    on("dragover", (event) => {
      if (!holdsFile(event)) return;
      event.preventDefault();
      setOver(true);
    });
    on("dragleave", ({ relatedTarget }) => relatedTarget || setOver(false));
    on("drop", (event) => {
      if (!holdsFile(event)) return;
      event.preventDefault();
      setOver(false);
      const [file] = event.dataTransfer!.files;
      if (file) take.current(file);
    });
    on("paste", ({ clipboardData }) => {
      if (clipboardData?.types.includes("text/plain")) return; // text that has a picture as well
      const [file] = clipboardData?.files ?? [];
      if (file) take.current(file);
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
