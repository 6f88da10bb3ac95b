import type { Photo } from "../api";
import { Icon, type IconName } from "../Icon";
import { texts } from "../texts";
import { Actions, type Does } from "./Actions";
import "./Controls.css";
import { showKeys } from "./Keys";

type Props = {
  name: string;
  photo: Photo | undefined;
  isGone: boolean;
  isZoomed: boolean;
  isPlaying: boolean;
  hasPanel: boolean;
  does: Does & Record<"close" | "panel" | "zoom" | "play" | "fullScreen", () => void>;
};

/** The bar over the top of the photo: its name on the left, what can be done on the right. */
export function Controls({ name, photo, isGone, isZoomed, isPlaying, hasPanel, does }: Props) {
  const button = (icon: IconName, label: string, act: () => void, more: object = {}) => (
    <button class="round" aria-label={label} title={label} onClick={act} {...more}>
      <Icon name={icon} />
    </button>
  );
  const zoom = isZoomed ? texts.zoomOut : texts.zoomIn;
  const play = isPlaying ? texts.pause : texts.slideshow;
  return (
    <div class="fades bar">
      <div aria-live="polite">
        <h2 id="photo-name" class="text">{name}</h2>
      </div>
      <Actions photo={photo} isGone={isGone} does={does} />
      {button(isZoomed ? "zoomOut" : "zoomIn", zoom, does.zoom, { disabled: !photo })}
      {button(isPlaying ? "pause" : "play", play, does.play, { class: "round more" })}
      {document.fullscreenEnabled &&
        button("fullScreen", texts.fullScreen, does.fullScreen, { class: "round more" })}
      {button("keys", texts.shortcuts, showKeys, { class: "round more" })}
      {button("info", texts.details, does.panel, { "aria-pressed": hasPanel })}
      {button("close", texts.close, does.close)}
    </div>
  );
}
