import { useState } from "preact/hooks";
import type { Photo } from "../api";
import { Icon } from "../Icon";
import { texts } from "../texts";
import type { Query } from "../urlState";
import { Actions, type Does } from "./Actions";
import { Facts } from "./Facts";
import "./Panel.css";
import { Words } from "./Words";

const KEPT = "details"; // in the browser, from one visit to the next

/** Whether the details are shown, which is remembered. */
export function usePanel(): [boolean, (isShown: boolean) => void] {
  const [isShown, setShown] = useState(() => localStorage.getItem(KEPT) === "shown");
  function set(isShown: boolean) {
    localStorage.setItem(KEPT, isShown ? "shown" : "hidden");
    setShown(isShown);
  }
  return [isShown, set];
}

type Props = {
  name: string;
  photo: Photo | undefined;
  isGone: boolean;
  does: Does & { panel: () => void; copyWords: (words: string) => void };
  onAsk: (asked: Partial<Query>) => void;
};

/** All that is known of the open photo: beside it, on a phone below it. */
export function Panel({ name, photo, isGone, does, onAsk }: Props) {
  return (
    <aside class="panel" aria-labelledby="panel-name" tabIndex={0}>
      <h3 id="panel-name">{name}</h3>
      <button class="round dismiss" aria-label={texts.hideDetails} onClick={does.panel}>
        <Icon name="close" />
      </button>
      {photo && <Facts photo={photo} onAsk={onAsk} />}
      {photo && <Words photo={photo} onCopy={does.copyWords} />}
      <div class="buttons">
        <Actions photo={photo} isGone={isGone} does={does} isLong />
      </div>
    </aside>
  );
}
