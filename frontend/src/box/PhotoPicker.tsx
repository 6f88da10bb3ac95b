import { useRef } from "preact/hooks";
import { Icon } from "../Icon";
import { texts } from "../texts";

const KINDS =
  "image/*,.heic,.heif,.hif,.heics,.heifs,.tif,.tiff,.arw,.cr2,.cr3,.dng,.nef,.orf,.pef,.raf,.rw2,.srw";

/** Lets a photo of this device be chosen, to search with. */
export function PhotoPicker({ onPhoto }: { onPhoto: (file: File) => void }) {
  const picker = useRef<HTMLInputElement>(null);

  function pick() {
    const [file] = picker.current!.files!;
    picker.current!.value = ""; // so that the same photo can be chosen again
    if (file) onPhoto(file);
  }

  return (
    <>
      <button
        type="button"
        class="round pick"
        aria-label={texts.searchWithPhoto}
        title={texts.searchWithPhoto}
        onClick={() => picker.current!.click()}
      >
        <Icon name="camera" />
      </button>
      <input ref={picker} type="file" accept={KINDS} hidden onChange={pick} />
    </>
  );
}
