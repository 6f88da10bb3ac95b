import { texts } from "../texts";
import "./NewPhotos.css";

/** The offer of what is new, to those who would lose their place. */
export function NewPhotos({ onShow }: { onShow: () => void }) {
  return (
    <button class="strong news" onClick={onShow}>
      {texts.refresh}
    </button>
  );
}
