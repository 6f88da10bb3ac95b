import { Icon } from "../Icon";
import { texts } from "../texts";
import "./Said.css";

/** What there is to say of photos that were brought, until it is closed. */
export function Said({ text, onClose }: { text: string; onClose: () => void }) {
  if (!text) return null;
  return (
    <div class="said raised floating" role="alert">
      <p>{text}</p>
      <button class="round" aria-label={texts.close} onClick={onClose}>
        <Icon name="close" />
      </button>
    </div>
  );
}
